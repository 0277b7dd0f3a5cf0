//! The listening server: bound address, workers, limits, and a stop that drains.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server as ActixServer, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use super::edge::edge;
use super::lateness::Lateness;
use super::routes;
use super::service::Service;
use super::tls::Identity;
use crate::settings;

/// How long a quiet connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a request's head may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// How long a closing connection may take to read what is left.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A server that answers.
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    server: ActixServer,
}

/// Binds the address of the settings; port 0 takes any free one.
///
/// # Errors
/// When the address cannot be bound, with the address in the text.
pub fn bind(server: &settings::Server) -> io::Result<TcpListener> {
    let address = SocketAddr::new(server.address, server.port);
    TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

/// Begins to answer on `listener`, by TLS where there is an identity. Signals are the caller's; call within a tokio runtime.
///
/// # Errors
/// When the listener or TLS cannot be used.
pub fn serve(
    service: web::Data<Service>,
    listener: TcpListener,
    identity: Option<&Arc<Identity>>,
) -> io::Result<Running> {
    let address = listener.local_addr()?;
    let server = &service.parts.settings.server;
    let grace = server.shutdown_grace.duration().as_secs().max(1);
    let workers = match server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let max_wait = server.max_wait.duration();
    // Once per worker.
    let app = move || {
        let app = App::new().app_data(service.clone()).app_data(Lateness::measured(max_wait));
        app.wrap(from_fn(edge)).configure(routes::configure)
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_PATIENCE)
        .client_disconnect_timeout(CLOSE_PATIENCE)
        .shutdown_timeout(grace)
        .disable_signals();
    let server = match identity {
        Some(identity) => server.listen_rustls_0_23(listener, identity.config().map_err(io::Error::other)?)?,
        None => server.listen(listener)?,
    };
    let server = server.run();
    Ok(Running { address, handle: server.handle(), server })
}

/// Stops a running server from elsewhere.
#[derive(Clone)]
pub struct Stop(ServerHandle);

impl Stop {
    /// Takes no more connections and ends when all that is being answered is, or after the grace period.
    pub async fn drain(&self) {
        self.0.stop(true).await;
    }
}

impl Running {
    /// The bound address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it from elsewhere; first say [`super::readiness::Readiness::stop`], which ends open streams.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        Stop(self.handle.clone())
    }

    /// Answers until it is stopped.
    ///
    /// # Errors
    /// When a worker cannot be started.
    pub async fn run(self) -> io::Result<()> {
        self.server.await
    }
}
