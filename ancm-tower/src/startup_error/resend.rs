//! How a request of which not one byte was sent finds its way back, and is known when it comes again.
//!
//! The innermost service answers with a stand-in response and puts the request into its extensions. Layers that
//! wrapped the request's body on the way in unwrap it on the way out; the hold layer takes the request and waits.
//!
//! # Example
//!
//! ```
//! use ancm_tower::startup_error::ReturnedRequest;
//! use http::{Request, Response};
//!
//! // The innermost service found nobody to talk to:
//! let mut response = Response::new(());
//! response.extensions_mut().insert(ReturnedRequest::new(Request::new("body, wrapped")));
//!
//! // A layer that wrapped the body:
//! ReturnedRequest::map_body(&mut response, |body: &str| body.len());
//!
//! // The hold layer:
//! let returned = response.extensions().get::<ReturnedRequest<usize>>().unwrap();
//! assert_eq!(returned.take().unwrap().into_body(), 13);
//! assert!(returned.take().is_none());
//! ```

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, Response};

/// Marks a request that has been through the rewriting layers before: they leave it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resent;

/// A request of which not one byte was sent, given back in the extensions of a response.
///
/// Clones share the one request; the first to [`take`](Self::take) it has it.
pub struct ReturnedRequest<B>(Arc<Mutex<Option<Request<B>>>>);

// === impl ReturnedRequest ===

impl<B> ReturnedRequest<B> {
    /// Wraps a request for its way back.
    pub fn new(request: Request<B>) -> Self {
        Self(Arc::new(Mutex::new(Some(request))))
    }

    /// The request, unless somebody has taken it already.
    pub fn take(&self) -> Option<Request<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<B: Send + 'static> ReturnedRequest<B> {
    /// Unwraps the body of the request that `response` gives back, if it gives one back.
    ///
    /// Every layer that wraps request bodies must call this on the responses that pass it.
    pub fn map_body<B2, R>(response: &mut Response<R>, unwrap: impl FnOnce(B) -> B2)
    where
        B2: Send + 'static,
    {
        if let Some(request) = response.extensions_mut().remove::<Self>().and_then(|returned| returned.take())
        {
            response.extensions_mut().insert(ReturnedRequest::new(request.map(unwrap)));
        }
    }
}

impl<B> Clone for ReturnedRequest<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> fmt::Debug for ReturnedRequest<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReturnedRequest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwraps_nothing_when_nothing_came_back() {
        let mut response = Response::new(());
        ReturnedRequest::map_body(&mut response, |(): ()| 1);
        assert!(response.extensions().is_empty());
    }

    #[test]
    fn keeps_head_and_extensions_on_the_way_back() {
        let mut request = Request::builder().uri("/a?b").body(1u8).unwrap();
        request.extensions_mut().insert(Resent);
        let mut response = Response::new(());
        response.extensions_mut().insert(ReturnedRequest::new(request));
        ReturnedRequest::map_body(&mut response, |body: u8| u64::from(body));
        let returned = response.extensions().get::<ReturnedRequest<u64>>().unwrap().take().unwrap();
        assert_eq!(returned.uri(), "/a?b");
        assert_eq!(returned.extensions().get(), Some(&Resent));
    }
}
