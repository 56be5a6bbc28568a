//! The service Admin of a running dirtyd, with its errors as a person reads them.

use dirtyd_client::{
    Client, Error,
    proto::v1::{
        ListCallsRequest, ListCallsResponse, StatusRequest, StatusResponse,
        admin_client::AdminClient,
    },
};
use tonic::{Status, transport::Channel};

use super::connect::{Target, explain};

/// The service Admin of one dirtyd.
#[derive(Debug, Clone)]
pub struct Operator {
    client: Client,
    admin: AdminClient<Channel>,
}

impl Operator {
    /// That of the dirtyd that is meant.
    ///
    /// # Errors
    /// The configuration file cannot be used.
    pub async fn at(target: &Target) -> anyhow::Result<Self> {
        target.client().await.map(Self::of)
    }

    /// That of a client's dirtyd.
    pub fn of(client: Client) -> Self {
        Self { admin: AdminClient::new(client.channel()), client }
    }

    /// The same on a connection of its own, which is made when it is used.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::of(Client::connect(self.client.socket()))
    }

    /// The service itself.
    pub fn admin(&mut self) -> &mut AdminClient<Channel> {
        &mut self.admin
    }

    /// An error as the client tells it.
    pub fn error(&self, status: Status) -> Error {
        Error::of(status, self.client.socket())
    }

    /// An error as a person reads it.
    pub fn failed(&self, status: Status) -> anyhow::Error {
        anyhow::anyhow!("{}", explain(&self.error(status)))
    }

    /// The whole picture.
    ///
    /// # Errors
    /// dirtyd is not there.
    pub async fn status(&mut self) -> anyhow::Result<StatusResponse> {
        let answer = self.admin.status(StatusRequest {}).await;
        Ok(answer.map_err(|status| self.failed(status))?.into_inner())
    }

    /// The calls that wait or run, oldest first.
    ///
    /// # Errors
    /// dirtyd is not there, or does not tell.
    pub async fn calls(&mut self, app: String, limit: u32) -> anyhow::Result<ListCallsResponse> {
        let answer = self.admin.list_calls(ListCallsRequest { app, limit }).await;
        Ok(answer.map_err(|status| self.failed(status))?.into_inner())
    }
}
