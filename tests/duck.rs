//! Apps that know nothing of dirtyd.

use dirtyd_client::{Reason, Value, args};
use tonic::Code;

use crate::support::{Daemon, LIMIT, eventually, failure};

const PLAIN: &str = "
class Plain:
    def init(self): self.calls = 0
    def __call__(self, action, *args, **kwargs):
        self.calls += 1
        return [action, list(args), kwargs, self.calls]
    def close(self): open('closed', 'w').close()
";
/// As gunicorn's documentation writes one.
const GUNICORN: &str = "
from gunicorn.dirty.app import DirtyApp
class MLApp(DirtyApp):
    def init(self): self.models = {}
    def load_model(self, name):
        self.models[name] = name.upper()
        return {'loaded': True, 'name': name}
    def inference(self, name, data): return [self.models[name], data]
    def tokens(self, text): yield from text.split()
    def close(self): self.models.clear()
";

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_imports_nothing_is_served_and_closed() {
    let mut daemon =
        Daemon::launch_with("[[app]]\npath = \"plain:Plain\"", &[("plain.py", PLAIN)]).await;
    let args = args!["a", 1].kwarg("k", true);
    let result = daemon.client().execute("plain:Plain", "act", args).await.expect("act");
    let kwargs: Value = [("k", true)].into_iter().collect();
    let expected = [Value::from("act"), Value::List(vec!["a".into(), 1.into()]), kwargs, 1.into()];
    assert_eq!(result, Value::List(expected.into()));
    let again = daemon.client().execute("plain:Plain", "act", args![]).await.expect("act");
    assert_eq!(again.as_list().and_then(<[_]>::last), Some(&Value::from(2)), "state stays");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert!(daemon.path("closed").exists(), "close() ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_written_for_gunicorn_is_served_unchanged() {
    let config = "[[app]]\npath = \"ml:MLApp\"";
    let daemon = Daemon::launch_with(config, &[("ml.py", GUNICORN)]).await;
    let client = daemon.client();
    let loaded = client.execute("ml:MLApp", "load_model", args!["gpt"]).await.expect("load");
    assert_eq!(loaded.get("name"), Some(&Value::from("gpt")));
    let answer = client.execute("ml:MLApp", "inference", args!["gpt", 3]).await.expect("inference");
    assert_eq!(answer, Value::List(vec!["GPT".into(), 3.into()]));
    let mut tokens = client.stream("ml:MLApp", "tokens", args!["a b"]).await.expect("stream");
    let first = eventually(LIMIT, "a token", async || tokens.next().await).await;
    assert_eq!(first.expect("no error"), Value::from("a"));
    let outcome = client.execute("ml:MLApp", "no_such", args![]).await;
    failure(outcome, Code::Unimplemented, Reason::ActionNotFound);
}
