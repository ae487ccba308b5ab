//! What the small HTTP/1.1 servers of this crate share, and those who ask them: connections one room wide, heads, bodies and
//! times within limits.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections of one server at one time; more wait.
pub const CONNECTION_COUNT_MAX: usize = 64;
/// How long the head of a request may take, and then a small body.
pub const REQUEST_WAIT: Duration = Duration::from_secs(5);
/// How long a connection may last: who asks often begins another.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(60);
/// The most bytes of a request's head.
const HEADER_SIZE_MAX: usize = 16 * 1024;
/// Of answers in words.
pub const TEXT_TYPE: &str = "text/plain; charset=utf-8";

/// An answer, whatever carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// No, and why.
    pub fn refused(status: u16, why: impl std::fmt::Display) -> Self {
        Self { status, content_type: TEXT_TYPE, body: format!("{why}\n").into_bytes() }
    }
}

/// What answers the requests of one server.
pub trait Service: Send + Sync + 'static {
    /// The answer to a request, whose body is still to be read. It never fails: what cannot be done is said.
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

/// What a server answered: status, type of the body, body.
pub struct Posted {
    /// The HTTP status.
    pub status: u16,
    /// Of the body; empty if it does not say.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Posts one body to `address`, host and port, over a connection of its own, and takes an answer of at most `size_max` bytes. How
/// long it may take is for the caller.
///
/// # Errors
/// Why there is no answer.
pub async fn post(
    address: &str,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
    size_max: usize,
) -> Result<Posted, String> {
    fn told(error: impl std::fmt::Display) -> String {
        error.to_string()
    }
    let stream = TcpStream::connect(address).await.map_err(told)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    // It ends with this request, however that ends.
    let mut carried = tokio::task::JoinSet::new();
    carried.spawn(connection);
    let request = Request::post(path)
        .header(HOST, address)
        .header(CONTENT_TYPE, content_type)
        .body(Full::new(Bytes::from(body)))
        .map_err(told)?;
    let response = sender.send_request(request).await.map_err(told)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let body = Limited::new(response.into_body(), size_max).collect().await.map_err(told)?.to_bytes();
    Ok(Posted { status, content_type, body: body.to_vec() })
}

/// Takes connections until the task is dropped.
pub async fn listen<S: Service>(listener: TcpListener, service: Arc<S>) {
    let room = Arc::new(Semaphore::new(CONNECTION_COUNT_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            // Whatever a connection does, it ends.
            let _ = timeout(CONNECTION_WAIT, serve(stream, service)).await;
            drop(permit);
        });
    }
}

async fn serve<S: Service>(stream: TcpStream, service: Arc<S>) {
    let answer = service_fn(|request| {
        let service = Arc::clone(&service);
        async move {
            let answer = service.answer(request).await;
            let mut response = Response::new(Full::new(Bytes::from(answer.body)));
            let status = StatusCode::from_u16(answer.status);
            *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
            Ok::<_, Infallible>(response)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_WAIT)
        .max_buf_size(HEADER_SIZE_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    // A peer that breaks off is no fault of this side.
    let _ = served.await;
}

/// Reads a small body, whole.
///
/// # Errors
/// The answer to who sends too much, or too slowly.
pub async fn small_body(body: Incoming, size_max: usize) -> Result<Bytes, Answer> {
    match timeout(REQUEST_WAIT, Limited::new(body, size_max).collect()).await {
        Err(_) => Err(Answer::refused(408, "the request does not come")),
        Ok(Err(_)) => {
            Err(Answer::refused(413, format!("the request breaks off, or has more than {size_max} bytes")))
        }
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}
