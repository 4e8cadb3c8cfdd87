//! Builds each worker's stacks.

use std::sync::Arc;

use ancm_tower::{
    app_offline::Page, client::Client, error_page::ErrorPageLayer, response_headers::ResponseHeadersLayer,
    startup_error::StartupErrorLayer,
};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower_layer::Layer;

use crate::{
    application::{Application, Followed},
    dispatch::{Dispatch, InnerStacks, Table},
    server::{ConnectionService, MakeWorkerService, Router},
    stack::{self, AppStack},
    supervisor::{Supervisor, snapshot::Snapshot},
    upstream::{DefaultClient, Upstream},
};

/// Requests that may wait for a start, in all.
const HOLD_AT_MOST: usize = 4096;

/// What a worker builds its stacks from.
#[derive(Clone)]
pub(super) struct MakeStacks<L> {
    settings: Followed,
    page: watch::Receiver<Option<Page>>,
    snapshots: watch::Receiver<Snapshot>,
    supervisor: Supervisor,
    hold_at_most: usize,
    layer: L,
}

// === impl MakeStacks ===

impl<L> MakeStacks<L> {
    pub(super) fn new(application: &Application, workers: usize, layer: L) -> Self {
        Self {
            settings: application.settings(),
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
        let Self { settings, page, snapshots, supervisor, hold_at_most, layer } = self;
        let table = Table::new(page.clone(), move || supervisor.wake());
        tokio::spawn(table.clone().follow(snapshots));
        let upstream = Upstream::new(DefaultClient::new(), tunnels.clone());
        let stacks = Arc::new(InnerStacks::new(move |config| stack::inner(config, upstream.clone())));
        let startup_error = StartupErrorLayer::new(table).follow(settings.hold).hold_at_most(hold_at_most);
        let stack = stack::outer(
            ResponseHeadersLayer::follow(settings.headers),
            ErrorPageLayer::follow(settings.explanations),
            page,
            startup_error,
            Dispatch::new(stacks),
        );
        move |_client| Router::single(layer.layer(stack.clone()))
    }
}
