//! What a stack must be to serve a connection.

use std::{convert::Infallible, future::Future};

use ancm_tower::BoxError;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{http1::piece::Piece, server::ClientBody};

/// A stack that can serve a connection.
pub trait ConnectionService:
    Service<
        Request<ClientBody>,
        Response = Response<<Self as ConnectionService>::ResponseBody>,
        Error = Infallible,
        Future = <Self as ConnectionService>::ResponseFuture,
    > + Send
    + 'static
{
    /// What it answers with.
    type ResponseBody: Body<Data: Into<Piece>, Error: Into<BoxError>> + From<Bytes> + Send + 'static;
    /// Its future.
    type ResponseFuture: Future<Output = Result<Response<<Self as ConnectionService>::ResponseBody>, Infallible>>
        + Send
        + 'static;
}

impl<S, B> ConnectionService for S
where
    S: Service<Request<ClientBody>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data: Into<Piece>> + From<Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type ResponseBody = B;
    type ResponseFuture = S::Future;
}
