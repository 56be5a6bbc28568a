//! What browsers are told of the pages that may call (CORS).

use std::{convert::Infallible, time::Duration};

use http::{Method, Request, Response, header};
use hyper::body::Incoming;
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use super::{answer::Answer, origins::Origins};

/// How long a browser keeps what it was told.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// What they are told.
#[derive(Debug, Clone)]
pub struct Cors {
    /// `None` if no page of another origin may call.
    layer: Option<CorsLayer>,
}

impl Cors {
    /// Of pages of these origins.
    pub fn new(origins: &Origins) -> Self {
        let layer = CorsLayer::new()
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(Any)
            .max_age(MAX_AGE);
        let layer = match (origins.any(), origins.listed()) {
            (true, _) => Some(layer.allow_origin(Any)),
            (false, []) => None,
            (false, listed) => Some(layer.allow_origin(listed.to_vec())),
        };
        Self { layer }
    }

    /// Answers a request with `serve`, for pages in a way that their browser takes. A
    /// browser that asks whether it may is answered at once.
    pub async fn serve<F>(
        &self,
        request: Request<Incoming>,
        serve: impl FnOnce(Request<Incoming>) -> F,
    ) -> Response<Answer>
    where
        F: Future<Output = Response<Answer>>,
    {
        let from_page = request.headers().contains_key(header::ORIGIN);
        let Some(layer) = self.layer.as_ref().filter(|_| from_page) else {
            return serve(request).await;
        };
        let mut serve = Some(serve);
        let service = tower::service_fn(move |request| {
            let served = serve.take().map(|serve| serve(request));
            async move {
                Ok::<_, Infallible>(match served {
                    Some(served) => served.await,
                    None => Response::default(),
                })
            }
        });
        let Ok(response) = layer.layer(service).oneshot(request).await;
        response
    }
}
