/** The page: takes what the feed sends, and shows it, at most once per frame of the screen. */

import * as apps from "./apps.js";
import * as calls from "./calls.js";
import * as charts from "./charts.js";
import { byId } from "./dom.js";
import * as events from "./events.js";
import { follow } from "./feed.js";
import * as head from "./head.js";
import { History } from "./history.js";
import * as operate from "./operate.js";
import * as workers from "./workers.js";

const history = new History();
let picture;
let isDue = false;

const filter = head.filter(due);
head.start();
charts.start(byId("charts"));
workers.start(byId("workers"));
apps.start(byId("apps"));
calls.start({ calls: byId("calls"), slow: byId("slow"), failed: byId("failed") });
events.start(byId("events"));

const TAKES = {
  hello(hello) {
    operate.allow(hello.operate);
    history.set(hello);
    events.set(hello.events);
    calls.take(hello, true);
  },
  picture: (present) => {
    picture = present;
  },
  steps: (steps) => history.add(steps),
  event: (event) => events.take(event),
  ended: (ended) => calls.take(ended, false),
};

function due() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    show();
  });
}

function show() {
  if (!picture) return;
  const app = filter.chosen();
  head.show(picture);
  filter.show(picture.apps);
  charts.show(history, picture, app);
  workers.show(picture, app);
  apps.show(picture, app);
  calls.show(picture, app);
  events.show(picture, app);
}

follow(
  "feed",
  (name, object) => {
    TAKES[name]?.(object);
    due();
  },
  head.connection,
);
