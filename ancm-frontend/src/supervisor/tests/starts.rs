use super::*;

#[tokio::test]
async fn restarts_a_killed_process_with_another_token() {
    let mut scene = Site::new("paired").run();
    let first = scene.ready().await;
    first.process.kill().unwrap();
    let second = scene.another(first.start).await;
    assert_ne!(first.process.pid(), second.process.pid());
    assert_ne!(first.token.expose(), second.token.expose());
    scene.stop(Duration::ZERO).await;
    assert!(!second.process.is_alive());
}

#[tokio::test]
async fn tries_twice_with_two_ports_and_says_how_the_process_ended() {
    let mut scene = Site::new("exits").variable("ASPNETCORE_ENVIRONMENT", "Development").run();
    let failure = scene.failed().await;
    assert!(failure.in_full().contains("exit code 3"), "{}", failure.in_full());
    let page = String::from_utf8(failure.page().to_vec()).unwrap();
    assert!(page.contains("cannot go on") && page.contains("working directory"), "{page}");
    scene.stop(Duration::ZERO).await;
    let ports = |printed: &str| {
        let lines = printed.lines().filter_map(|line| line.strip_prefix("port ")?.split(' ').next());
        lines.collect::<HashSet<_>>().len()
    };
    scene.printed_until(|printed| ports(printed) >= 2).await;
}

#[tokio::test]
async fn keeps_output_and_command_line_from_strangers() {
    let mut scene = Site::new("exits").run();
    let failure = scene.failed().await;
    let page = String::from_utf8(failure.page().to_vec()).unwrap();
    assert!(failure.in_full().contains("exit code 3"));
    assert!(
        !page.contains("code 3") && !page.contains("cannot go on") && !page.contains(ARGUMENTS),
        "{page}"
    );
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn names_the_place_where_the_process_listens_instead() {
    let port = crate::process::port::choose().unwrap();
    let site = Site::new("elsewhere").variable("ANCM_TEST_PORT", &port.number());
    let mut scene =
        Site { config: Config { startup_time_limit: Duration::from_secs(1), ..site.config }, ..site }.run();
    let failure = scene.failed().await;
    let expected = format!("listens on 127.0.0.1:{} instead.", port.number());
    assert!(failure.in_full().contains("within 1 s"), "{}", failure.in_full());
    assert!(failure.in_full().ends_with(&expected), "{}", failure.in_full());
    assert!(failure.in_full().contains(") listens on"), "with its name: {}", failure.in_full());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn looks_only_once_when_the_start_limit_is_zero() {
    let site = Site::new("sleeps");
    let mut scene =
        Site { config: Config { startup_time_limit: Duration::ZERO, ..site.config }, ..site }.run();
    assert!(scene.failed().await.in_full().contains("within 0 s"));
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn names_who_has_taken_a_fixed_port() {
    let (listener, port) = loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if port <= 48_000 {
            break (listener, port);
        }
    };
    let mut scene = Site::new("sleeps").variable("ASPNETCORE_PORT", &port).run();
    let failure = scene.failed().await;
    let expected = format!("Port {port} is taken: process {}", std::process::id());
    assert!(failure.in_full().starts_with(&expected), "{}", failure.in_full());
    scene.stop(Duration::ZERO).await;
    drop(listener);
}

#[tokio::test]
async fn uses_a_fixed_port_again_after_a_recycle() {
    let port = crate::process::port::choose().unwrap();
    let mut scene = Site::new("paired").variable("ASPNETCORE_PORT", &port.number()).run();
    let first = scene.ready().await;
    let (start, process) = (first.start, first.process.clone());
    drop(first);
    scene.supervisor.recycle(Arc::new(scene.site.config.clone()));
    let second = scene.another(start).await;
    assert_eq!(second.address.port(), port.number());
    assert!(!process.is_alive());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn names_a_program_that_is_not_there() {
    let site = Site::new("paired");
    let config = Config { process_path: "no/such/program".into(), ..site.config };
    let mut scene = Site { config, ..site }.run();
    let failure = scene.failed().await;
    assert!(failure.in_full().contains("no/such/program"), "{}", failure.in_full());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn takes_the_child_of_a_shell_for_the_backend() {
    for spawner in [spawner(), Spawner::Direct] {
        let site = Site { spawner, ..Site::new("paired").behind_a_shell("wait") };
        let mut scene = site.run();
        let process = scene.ready().await.process.clone();
        let name = std::fs::read_link(format!("/proc/{}/exe", process.pid())).unwrap();
        assert_eq!(name, std::env::current_exe().unwrap(), "not the shell");
        let took = scene.stop(Duration::from_secs(30)).await;
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert!(!process.is_alive());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_launcher_may_end_before_what_it_has_launched_listens() {
    let mut scene = Site::new("paired").behind_a_shell("exit 0").run();
    let first = scene.ready().await;
    first.process.kill().unwrap();
    let process = scene.another(first.start).await.process.clone();
    let took = scene.stop(Duration::from_secs(30)).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!process.is_alive());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_launcher_that_fails_fails_the_start_and_leaves_nothing() {
    let mut scene = Site::new("sleeps").behind_a_shell("exit 7").run();
    assert!(scene.failed().await.in_full().contains("exit code 7"));
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn logs_a_life_under_the_numbers_of_the_original() {
    let log = Log::new();
    let mut scene = Site::new("paired").run();
    drop(scene.ready().await);
    scene.stop(Duration::from_secs(30)).await;
    assert_eq!(log.ids(), [(Level::INFO, 1001), (Level::INFO, 1006), (Level::INFO, 1030)]);
    assert!(log.text(1006).contains("status=202"));

    let log = Log::new();
    let mut scene = Site::new("deaf").run();
    let backend = scene.ready().await;
    scene.supervisor.set_offline(true).await;
    drop(backend);
    scene.stop(Duration::ZERO).await;
    scene.stop(Duration::ZERO).await;
    let ids: Vec<u64> = log.ids().into_iter().map(|(_, id)| id).collect();
    assert_eq!((ids[0], ids[1], ids.last()), (1001, 1012, Some(&1030)));
    assert!(ids.contains(&1005), "it was killed");
}

#[tokio::test]
async fn logs_each_failed_attempt_and_in_the_end_what_was_printed() {
    let log = Log::new();
    let mut scene = Site::new("exits").run();
    scene.failed().await;
    scene.stop(Duration::ZERO).await;
    let ids = [(Level::WARN, 1000), (Level::WARN, 1000), (Level::ERROR, 1020)];
    assert!(log.ids().starts_with(&ids), "{:?}", log.ids());
    for expected in ["exit code 3", "attempt=1", "Likely causes:", "plays_its_part"] {
        assert!(log.text(1000).contains(expected), "{expected} in {}", log.text(1000));
    }
    assert_eq!(log.text(1020).matches("cannot go on").count(), 2, "of both attempts: {}", log.text(1020));
    assert!(log.text(1020).contains("token [pairing token] end"), "{}", log.text(1020));
}
