//! Builds each worker's stacks.

use std::{sync::Arc, time::Duration};

use ancm_tower::{
    app_offline::Page,
    by_path::ByPath,
    client::Client,
    error_page::{ErrorPageLayer, Explanations},
    response_headers::{HeaderChanges, ResponseHeadersLayer},
    startup_error::StartupErrorLayer,
};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower_layer::Layer;

use crate::{
    application::Application,
    config::Config,
    dispatch::{Dispatch, InnerStacks, Table},
    server::{ConnectionService, MakeWorkerService, Router},
    stack::{self, AppStack},
    supervisor::{Supervisor, snapshot::Snapshot},
    upstream::{DefaultClient, Upstream},
};

/// Requests that may wait for a start, in all.
const HOLD_AT_MOST: usize = 4096;

/// What it takes to end the processes of failed attempts, and to say why they failed.
const HOLD_MARGIN: Duration = Duration::from_secs(5);

/// What a worker builds its stacks from.
#[derive(Clone)]
pub(super) struct MakeStacks<L> {
    config: Arc<Config>,
    headers: watch::Receiver<ByPath<HeaderChanges>>,
    explanations: watch::Receiver<Explanations>,
    page: watch::Receiver<Option<Page>>,
    snapshots: watch::Receiver<Snapshot>,
    supervisor: Supervisor,
    hold_at_most: usize,
    layer: L,
}

// === impl MakeStacks ===

impl<L> MakeStacks<L> {
    pub(super) fn new(config: &Arc<Config>, application: &Application, workers: usize, layer: L) -> Self {
        Self {
            config: Arc::clone(config),
            headers: application.headers(),
            explanations: application.explanations(),
            page: application.page(),
            snapshots: application.snapshots(),
            supervisor: application.supervisor().clone(),
            hold_at_most: HOLD_AT_MOST.div_ceil(workers),
            layer,
        }
    }
}

impl<L> MakeWorkerService for MakeStacks<L>
where
    L: Layer<AppStack> + Clone + Send + 'static,
    L::Service: ConnectionService,
{
    type Service = Router<L::Service>;

    fn make(self, tunnels: &TaskTracker) -> impl Fn(&Client) -> Self::Service + Clone + 'static {
        let Self { config, headers, explanations, page, snapshots, supervisor, hold_at_most, layer } = self;
        let table = Table::new(page.clone(), move || supervisor.wake());
        tokio::spawn(table.clone().follow(snapshots));
        let upstream = Upstream::new(DefaultClient::new(), tunnels.clone());
        let stacks = Arc::new(InnerStacks::new(move |config| stack::inner(config, upstream.clone())));
        let startup_error = StartupErrorLayer::new(table)
            // Each attempt has the whole of `startupTimeLimit`: who waits shall see how it ends.
            .hold_limit(config.startup_time_limit * config.start_attempts().into() + HOLD_MARGIN)
            .hold_at_most(hold_at_most);
        let stack = stack::outer(
            ResponseHeadersLayer::follow(headers),
            ErrorPageLayer::follow(explanations),
            page,
            startup_error,
            Dispatch::new(stacks),
        );
        move |_client| Router::single(layer.layer(stack.clone()))
    }
}
