use super::*;

#[tokio::test]
async fn starts_a_process_pairs_with_it_and_stops_it_by_the_message() {
    let mut scene = Site::new("paired").run();
    let backend = scene.ready().await;
    assert!(backend.process.is_alive());
    let process = backend.process.clone();
    let port = backend.address.port();
    drop(backend);
    let took = scene.stop(Duration::from_secs(30)).await;
    assert!(!process.is_alive());
    assert!(took < Duration::from_secs(20), "it was not killed: {took:?}");
    let printed = scene.printed("asked to stop").await;
    let expected = format!("port {port} pid {} token [pairing token] end", process.pid());
    assert!(printed.contains(&expected), "{printed}");
}

#[tokio::test]
async fn refuses_a_port_that_is_none_without_a_second_attempt() {
    let mut scene = Site::new("paired").variable("ASPNETCORE_PORT", "80x").run();
    let failure = scene.failed().await;
    assert!(failure.in_full().contains("\"80x\""), "{}", failure.in_full());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn terminates_at_once_what_does_not_understand_the_message() {
    let mut scene = Site::new("plain").run();
    let process = scene.ready().await.process.clone();
    let took = scene.stop(Duration::from_secs(30)).await;
    assert!(!process.is_alive());
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn lets_requests_end_before_it_terminates_what_would_die_with_them() {
    let mut scene = Site::new("plain").run();
    let request = scene.ready().await;
    let address = request.address;
    let supervisor = scene.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(Duration::from_secs(600)).await });
    scene.printed("no such page").await;
    for _ in 0..20 {
        let us = ProcessHandle::open(std::process::id()).unwrap();
        let answer = message::send_shutdown(address, "/other", &request.token, &us).await;
        assert_eq!(answer.unwrap(), 404, "it still serves");
    }
    let process = request.process.clone();
    drop(request);
    timeout(PATIENCE, stop).await.unwrap().unwrap();
    assert!(!process.is_alive());
}

#[tokio::test]
async fn cuts_requests_and_then_kills_what_does_not_stop_in_time() {
    let mut scene = Site::new("deaf").run();
    let backend = scene.ready().await;
    let (process, abandon) = (backend.process.clone(), backend.abandon.clone());
    let supervisor = scene.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(Duration::from_secs(2)).await });
    drop(backend);
    timeout(PATIENCE, abandon.cancelled()).await.unwrap();
    timeout(PATIENCE, stop).await.unwrap().unwrap();
    assert!(!process.is_alive());
}

#[tokio::test]
async fn a_second_stop_kills_at_once() {
    let mut scene = Site::new("deaf").run();
    let process = scene.ready().await.process.clone();
    let supervisor = scene.supervisor.clone();
    let stop = tokio::spawn(async move { supervisor.stop(Duration::from_secs(600)).await });
    scene.printed("asked to stop").await;
    scene.stop(Duration::from_secs(600)).await;
    stop.await.unwrap();
    assert!(!process.is_alive());
}

#[tokio::test]
async fn shows_the_page_before_it_stops_and_starts_before_the_page_is_gone() {
    let mut scene = Site::new("paired").run();
    let process = scene.ready().await.process.clone();
    let pages = crate::offline::watch(scene.site.folder.path());
    let mut shown = crate::offline::follow(pages, scene.supervisor.clone());
    assert!(shown.borrow().is_none());

    let file = scene.site.folder.path().join("app_offline.htm");
    std::fs::write(&file, "back soon").unwrap();
    timeout(PATIENCE, shown.wait_for(Option::is_some)).await.unwrap().unwrap();
    timeout(PATIENCE, process.exited()).await.unwrap();
    assert!(matches!(scene.snapshots.borrow().availability, Availability::Offline));

    std::fs::remove_file(&file).unwrap();
    timeout(PATIENCE, shown.wait_for(Option::is_none)).await.unwrap().unwrap();
    assert!(!matches!(scene.snapshots.borrow().availability, Availability::Failed(_)));
    assert_ne!(scene.ready().await.process.pid(), process.pid());
    scene.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn breaks_off_a_start_when_it_is_stopped() {
    let scene = Site::new("sleeps").run();
    let printed = scene.printed(" token").await;
    let pid = printed.split_once(" pid ").unwrap().1.split_once(' ').unwrap().0;
    let process = ProcessHandle::open(pid.parse().unwrap()).unwrap();
    scene.stop(Duration::from_secs(30)).await;
    assert!(!process.is_alive());
}

#[tokio::test]
async fn runs_as_many_processes_as_it_is_told_and_stops_them_together() {
    let site = Site::new("paired");
    let mut scene = Site { config: Config { processes_per_application: 3, ..site.config }, ..site }.run();
    let pids = scene
        .until(|availability| match availability {
            Availability::Ready(generation) if generation.backends.len() == 3 => {
                Some(generation.backends.iter().map(|backend| backend.process.pid()).collect::<HashSet<_>>())
            }
            _ => None,
        })
        .await;
    assert_eq!(pids.len(), 3);
    scene.stop(Duration::from_secs(30)).await;
}
