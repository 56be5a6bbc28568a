import { setTimeout as pause } from "node:timers/promises";

/** Stands for a language model. */
export class Model {
  async *generate(prompt) {
    try {
      for (let number = 0; number < 1000; number++) {
        await pause(50);
        yield `${prompt}-${number}`;
      }
    } finally {
      console.log("the generator ended");
    }
  }
}
