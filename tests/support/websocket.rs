//! A WebSocket client.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, protocol::CloseFrame},
};

use super::PATIENCE;

/// One end of a WebSocket; every wait has a limit.
#[derive(Debug)]
pub(crate) struct WebSocket(WebSocketStream<TcpStream>);

// === impl WebSocket ===

impl WebSocket {
    pub(crate) async fn open(address: SocketAddr, target: &str) -> Self {
        Self::try_open(address, target).await.expect("the server upgrades")
    }

    pub(crate) async fn try_open(address: SocketAddr, target: &str) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        let opened = timeout(PATIENCE, client_async(format!("ws://{address}{target}"), stream)).await;
        Ok(Self(opened.expect("the server answers")?.0))
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        self.try_send(message).await.expect("the server reads");
    }

    pub(crate) async fn try_send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.0.send(message.into()).await
    }

    /// The next message, or what went wrong, or None at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, String>> {
        let next = timeout(PATIENCE, self.0.next()).await.expect("a message in time");
        next.map(|message| message.map_err(|error| error.to_string()))
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("no text but {other:?}"),
        }
    }

    /// Waits for the close frame.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        loop {
            match self.next().await {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                other => panic!("no close frame but {other:?}"),
            }
        }
    }

    /// Leaves without a close frame.
    pub(crate) fn vanish(self) {
        drop(self.0);
    }
}
