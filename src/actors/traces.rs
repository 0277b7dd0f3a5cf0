//! Traces over OTLP, where the settings name a collector: a span from a request, or a record of one, to its reply.
//!
//! A span goes on where the caller's trace context is (`traceparent`), and a reply over Kafka carries it on. Spans are sent in
//! the background from a bounded queue: a collector that is away costs spans, never a request.

use std::time::Duration;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span};

use crate::kafka::record::Record;
use crate::settings::Telemetry;

/// How long one sending may take.
const SEND: Duration = Duration::from_secs(5);

/// How long what is left may take at the stop.
const FLUSH: Duration = Duration::from_secs(2);

/// The headers of a trace's context, as the W3C has them.
const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TracesError(String);

/// The way to the collector.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    context: TraceContextPropagator,
}

/// A span that was begun; it ends when it is dropped.
pub struct Trace(Span);

impl Traces {
    /// The way to the collector of the settings; none where they name none.
    ///
    /// # Errors
    /// [`TracesError`] when no client can be made. A collector that is away is no error.
    pub fn start(settings: &Telemetry) -> Result<Option<Self>, TracesError> {
        if settings.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let endpoint = format!("{}/v1/traces", settings.otlp_endpoint.trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).with_timeout(SEND).build();
        let exporter = exporter.map_err(|error| TracesError(error.to_string()))?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name("ouzel").with_attribute(version).build();
        // Who began the trace decides; a trace that begins here is drawn.
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.trace_share)));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("ouzel");
        Ok(Some(Self { provider, tracer, context: TraceContextPropagator::new() }))
    }

    /// Begins the span of an HTTP request to `route`; `header` reads its headers.
    pub fn request<'a>(&self, method: &str, route: &'static str, header: impl Fn(&str) -> Option<&'a str>) -> Trace {
        let attributes = [KeyValue::new("http.request.method", method.to_owned()), KeyValue::new("http.route", route)];
        self.begin(format!("{method} {route}"), SpanKind::Server, attributes.to_vec(), &Caller::of(header))
    }

    /// Begins the span of a request that came by a record.
    pub fn record(&self, record: &Record) -> Trace {
        let attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", record.topic.to_string()),
            KeyValue::new("messaging.destination.partition.id", record.partition.to_string()),
            KeyValue::new("messaging.kafka.offset", record.offset),
        ];
        let header = |name: &str| str::from_utf8(record.header(name)?).ok();
        self.begin(format!("process {}", record.topic), SpanKind::Consumer, attributes, &Caller::of(header))
    }

    fn begin(&self, name: String, kind: SpanKind, attributes: Vec<KeyValue>, from: &dyn Extractor) -> Trace {
        let parent = self.context.extract_with_context(&Context::new(), from);
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
        Trace(self.tracer.build_with_context(builder, &parent))
    }

    /// The headers by which whoever reads a reply goes on with its trace.
    #[must_use]
    pub fn carry(&self, trace: &Trace) -> Vec<(String, Vec<u8>)> {
        let context = Context::new().with_remote_span_context(trace.0.span_context().clone());
        let mut headers = Written(Vec::new());
        self.context.inject_context(&context, &mut headers);
        headers.0
    }

    /// Sends what is left; blocks, and not for long.
    pub fn flush(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "not every trace was sent before the stop");
        }
    }
}

impl Trace {
    /// Says something of it.
    pub fn note(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.set_attribute(KeyValue::new(name, value));
    }

    /// Says that something was reached, now.
    pub fn reached(&mut self, name: &'static str) {
        self.0.add_event(name, Vec::new());
    }

    /// Says that it failed.
    pub fn failed(&mut self, why: impl Into<String>) {
        self.0.set_status(Status::error(why.into()));
    }
}

/// What the caller says of its trace.
struct Caller<'a> {
    parent: Option<&'a str>,
    state: Option<&'a str>,
}

impl<'a> Caller<'a> {
    fn of(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self { parent: header(PARENT), state: header(STATE) }
    }
}

impl Extractor for Caller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            PARENT => self.parent,
            STATE => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT, STATE]
    }
}

/// Headers that a trace's context is written to.
struct Written(Vec<(String, Vec<u8>)>);

impl Injector for Written {
    fn set(&mut self, key: &str, value: String) {
        // One that is not there is written as an empty one.
        if !value.is_empty() {
            self.0.push((key.to_owned(), value.into_bytes()));
        }
    }
}
