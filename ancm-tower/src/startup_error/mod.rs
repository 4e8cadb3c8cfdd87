//! Holds requests while the backend starts; shows why when it failed.

use std::sync::{Arc, Mutex};

use http::{Request, Response};

/// Why a backend could not be started, ready to be shown.
#[derive(Clone, Debug)]
pub struct StartFailure {}

/// Marks a request that has been through the rewriting layers before.
#[derive(Clone, Copy, Debug)]
pub struct Resent;

/// A request of which not one byte was sent, on its way back to the hold layer.
#[derive(Debug)]
pub struct ReturnedRequest<B>(Arc<Mutex<Option<Request<B>>>>);

impl<B> Clone for ReturnedRequest<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Send + 'static> ReturnedRequest<B> {
    /// Wraps a request.
    pub fn new(request: Request<B>) -> Self {
        Self(Arc::new(Mutex::new(Some(request))))
    }

    /// Takes the request out.
    pub fn take(&self) -> Option<Request<B>> {
        self.0.lock().ok()?.take()
    }

    /// Changes the body of the request that a response returns, if it does.
    pub fn map_body<B2: Send + 'static>(response: &mut Response<impl Sized>, f: impl FnOnce(B) -> B2) {
        if let Some(request) = response.extensions_mut().remove::<Self>().and_then(|it| it.take()) {
            response.extensions_mut().insert(ReturnedRequest::new(request.map(f)));
        }
    }
}
