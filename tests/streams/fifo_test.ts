import { assertEquals, assertLess } from "@std/assert";
import { Fifo } from "../../streams/_fifo.ts";
import { randomOf, seed } from "../channels/_support.ts";

Deno.test("Fifo gives back what an array would", () => {
  const random = randomOf(seed());
  const fifo = new Fifo<number>();
  const model: number[] = [];
  for (let n = 0; n < 100_000; n++) {
    const grows = (n / 10_000 | 0) % 2 === 0;
    if (random() < (grows ? 0.7 : 0.3)) {
      const method = n % 100 === 0 ? "unshift" : "push";
      fifo[method](n);
      model[method](n);
    } else if (random() < 0.9) {
      assertEquals(fifo.shift(), model.shift());
    } else if (model.length > 0) {
      const index = Math.floor(random() * model.length);
      fifo.remove(model.splice(index, 1)[0]!);
    }
    if (fifo.size !== model.length) assertEquals(fifo.size, model.length);
  }
  fifo.remove(-1); // Was never in it.
  assertEquals(fifo.peek(), model[0]);
  assertEquals(fifo.clear(), model);
  assertEquals([fifo.size, fifo.shift(), fifo.peek()], [
    0,
    undefined,
    undefined,
  ]);
});

Deno.test("Fifo takes constant time for each item, however many there are", () => {
  const time = (count: number) => {
    const fifo = new Fifo<number>();
    const start = performance.now();
    for (let n = 0; n < count; n++) fifo.push(n);
    for (let n = 0; n < count; n++) fifo.shift();
    return performance.now() - start;
  };
  time(100_000);
  // An array's own shift would take some seconds.
  assertLess(time(500_000), 1000);
});
