/** The twin of ../_role.ts for Node. */
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

/** `participant` is `{ listen(onListen), connect(port) }`; see ../_role.ts. */
export async function play(participant) {
  const [role, folder, port] = process.argv.slice(2);
  const peer = port === undefined
    ? await participant.listen((port) => report({ port }))
    : await participant.connect(Number(port));
  report({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const { work, size, count } = JSON.parse(line);
    if (role === "sink") {
      const tally = work === "one-way"
        ? peer.receive(size, count)
        : peer.echo(size, count);
      report({ ready: true });
      report(await tally);
    } else {
      const payload = await readFile(`${folder}/${size}.json`);
      const start = performance.now();
      if (work === "one-way") await peer.oneWay(payload, count);
      else await peer.roundTrip(payload, count);
      report({ seconds: (performance.now() - start) / 1000 });
    }
  }
  process.exit();
}

function report(value) {
  console.log(JSON.stringify(value));
}
