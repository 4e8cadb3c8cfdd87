//! What keeps an application from being started at all: `app_offline.htm`, and a configuration that cannot be used.

use super::*;

/// A file that cannot be used.
fn errors(text: &str) -> ConfigErrors {
    let folder = std::path::Path::new("/site");
    crate::config::parse(text.as_bytes(), &folder.join("web.config"), folder, &|_| None).unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn starts_nothing_before_there_is_a_configuration_that_can_be_used() {
    let (first, second) = (errors("<configuration/>"), errors("<oops/>"));
    let mut scene = Scene::hindered(config(1), false, Some(first.clone()));
    scene.failed(&first.to_string()).await;
    scene.supervisor.wake();
    scene.supervisor.misconfigured(second.clone());
    scene.failed(&second.to_string()).await;
    assert!(scene.asked.is_empty());
    scene.supervisor.recycle(Arc::new(config(1)));
    scene.asked().await.ready(1);
    scene.serving(&[1]).await;
    // From now on what runs is worth more than what the file says.
    scene.supervisor.misconfigured(first);
    scene.supervisor.set_offline(false).await;
    scene.serving(&[1]).await;
}

#[tokio::test(start_paused = true)]
async fn app_offline_is_shown_whatever_the_configuration_is() {
    let wrong = errors("<configuration/>");
    let mut scene = Scene::hindered(config(1), true, Some(wrong.clone()));
    scene.until(|snapshot| matches!(snapshot.availability, Availability::Offline)).await;
    scene.supervisor.set_offline(false).await;
    scene.failed(&wrong.to_string()).await;
    scene.supervisor.set_offline(true).await;
    assert!(matches!(scene.snapshots.borrow().availability, Availability::Offline));
    scene.supervisor.recycle(Arc::new(config(1)));
    scene.supervisor.set_offline(true).await;
    assert!(scene.asked.is_empty());
    scene.supervisor.set_offline(false).await;
    scene.asked().await.ready(1);
    scene.serving(&[1]).await;
}
