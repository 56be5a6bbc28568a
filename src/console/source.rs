//! Where the page's feed finds what it tells: the service Admin and the past.

use dirtyd_client::proto::v1;
use tonic::Request;

use super::feed::{MOST_CALLS, Source};
use crate::{
    observe::{history::History, recent::RecentCalls},
    proto::admin_server::Admin as _,
    server::Insight,
};

impl Source for Insight {
    async fn picture(&self) -> Option<(v1::StatusResponse, v1::ListCallsResponse)> {
        let all = v1::ListCallsRequest { app: String::new(), limit: MOST_CALLS };
        let status = self.admin.status(Request::new(v1::StatusRequest {})).await.ok()?;
        let calls = self.admin.list_calls(Request::new(all)).await.ok()?;
        Some((status.into_inner(), calls.into_inner()))
    }

    fn past<T>(&self, look: impl FnOnce(&History, &RecentCalls) -> T) -> T {
        self.past.look(look)
    }
}
