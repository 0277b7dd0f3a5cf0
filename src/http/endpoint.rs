//! One path with its methods: the handler and the access of each.

use std::rc::Rc;

use actix_web::dev::AppService;
use actix_web::dev::HttpServiceFactory;
use actix_web::guard::{self, Guard, GuardContext};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{FromRequest, Handler, Responder, Route, web};

use super::errors::ApiError;
use super::gate::{Access, Plan, gate};

/// A path, what may be done there, and by whom.
pub struct Endpoint {
    plan: Plan,
    routes: Vec<Route>,
    own_methods_only: bool,
    or_slash: bool,
}

impl Endpoint {
    /// An endpoint without methods.
    pub const fn at(path: &'static str) -> Self {
        let plan = Plan { path, methods: Vec::new(), admitted: false, primary: false };
        Self { plan, routes: Vec::new(), own_methods_only: false, or_slash: false }
    }

    /// Answers GET, and HEAD by the same without the body.
    pub fn get<F, Args>(mut self, access: Access, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.plan.methods.push((Method::GET, access));
        self.routes.push(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler));
        self
    }

    /// Answers another method.
    pub fn on<F, Args>(mut self, method: Method, access: Access, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.plan.methods.push((method.clone(), access));
        self.routes.push(web::method(method).to(handler));
        self
    }

    /// Answers POST.
    pub fn post<F, Args>(self, access: Access, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, access, handler)
    }

    /// Counts its requests against `server.max_in_flight`.
    pub const fn admitted(mut self) -> Self {
        self.plan.admitted = true;
        self
    }

    /// Is answered by the process with the trainer alone; others pass it on.
    pub const fn by_primary(mut self) -> Self {
        self.plan.primary = true;
        self
    }

    /// Leaves requests of other methods to the endpoints after it, where its path is also an instance of theirs.
    pub const fn own_methods_only(mut self) -> Self {
        self.own_methods_only = true;
        self
    }

    /// Is also found with a slash at the path's end.
    pub const fn or_slash(mut self) -> Self {
        self.or_slash = true;
        self
    }

    /// The path and the methods.
    #[cfg(test)]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    fn allow(&self) -> String {
        let names = self.plan.methods.iter().map(|(method, _)| match *method {
            Method::GET => "GET, HEAD",
            _ => method.as_str(),
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

/// Holds for requests whose method an endpoint has.
struct HasMethod(Rc<Plan>);

impl Guard for HasMethod {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        self.0.access(&context.head().method).is_some()
    }
}

impl HttpServiceFactory for Endpoint {
    fn register(self, config: &mut AppService) {
        let allow: Rc<str> = self.allow().into();
        let plan = Rc::new(self.plan);
        let mut paths = vec![plan.path.to_owned()];
        paths.extend(self.or_slash.then(|| format!("{}/", plan.path)));
        let mut resource = web::resource(paths);
        if self.own_methods_only {
            resource = resource.guard(HasMethod(plan.clone()));
        }
        for route in self.routes {
            resource = resource.route(route);
        }
        resource = resource.default_service(web::to(move || {
            let allow = allow.clone();
            async move { Err::<&'static str, _>(ApiError::method_not_allowed(&allow)) }
        }));
        resource.wrap(from_fn(move |request, next: Next<_>| gate(plan.clone(), request, next))).register(config);
    }
}
