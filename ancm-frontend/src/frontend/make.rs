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
    binding::Binding,
    dispatch::{Dispatch, InnerStacks, Table},
    server::{ConnectionService, MakeWorkerService, Router, Routes},
    stack::{self, AppStack},
    supervisor::{Supervisor, snapshot::Snapshot},
    upstream::{DefaultClient, Upstream},
};

/// Requests of an application that may wait for a start, in all.
const HOLD_AT_MOST: usize = 4096;

/// What a worker builds its stacks from.
#[derive(Clone)]
pub(super) struct MakeStacks<L> {
    applications: Vec<Ingredients>,
    hold_at_most: usize,
    layer: L,
    needs_timers: bool,
}

/// What the stack of one application is built from.
#[derive(Clone)]
struct Ingredients {
    binding: Binding,
    settings: Followed,
    page: watch::Receiver<Option<Page>>,
    snapshots: watch::Receiver<Snapshot>,
    supervisor: Supervisor,
}

// === impl MakeStacks ===

impl<L> MakeStacks<L> {
    pub(super) fn new(applications: &[Application], workers: usize, layer: L, needs_timers: bool) -> Self {
        let ingredients = |application: &Application| Ingredients {
            binding: application.binding().clone(),
            settings: application.settings(),
            page: application.page(),
            snapshots: application.snapshots(),
            supervisor: application.supervisor().clone(),
        };
        Self {
            applications: applications.iter().map(ingredients).collect(),
            hold_at_most: HOLD_AT_MOST.div_ceil(workers),
            layer,
            needs_timers,
        }
    }
}

impl<L> MakeWorkerService for MakeStacks<L>
where
    L: Layer<AppStack> + Clone + Send + 'static,
    L::Service: ConnectionService,
{
    type Service = Router<L::Service>;

    fn needs_timers(&self) -> bool {
        self.needs_timers
    }

    fn make(self, tunnels: &TaskTracker) -> impl Fn(&Client) -> Self::Service + 'static {
        let Self { applications, hold_at_most, layer, needs_timers: _ } = self;
        let stack = |made: Ingredients| (made.binding.clone(), made.stack(hold_at_most, tunnels));
        let (routes, stacks) = Routes::new(applications.into_iter().map(stack).collect());
        let routes = Arc::new(routes);
        move |_client| {
            let services = stacks.iter().map(|stack| layer.layer(stack.clone())).collect();
            Router::new(Arc::clone(&routes), services)
        }
    }
}

// === impl Ingredients ===

impl Ingredients {
    fn stack(self, hold_at_most: usize, tunnels: &TaskTracker) -> AppStack {
        let Self { binding: _, settings, page, snapshots, supervisor } = self;
        let table = Table::new(page.clone(), move || supervisor.wake());
        tokio::spawn(table.clone().follow(snapshots));
        let upstream = Upstream::new(DefaultClient::new(), tunnels.clone());
        let stacks = Arc::new(InnerStacks::new(move |config| stack::inner(config, upstream.clone())));
        let startup_error = StartupErrorLayer::new(table).follow(settings.hold).hold_at_most(hold_at_most);
        let headers = ResponseHeadersLayer::follow(settings.headers);
        stack::outer(
            headers,
            ErrorPageLayer::follow(settings.explanations),
            page,
            startup_error,
            Dispatch::new(stacks),
        )
    }
}
