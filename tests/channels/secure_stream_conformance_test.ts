import { SecureStream } from "@sluice/sluice";
import { type Subject, testConformance } from "../streams/conformance.ts";
import { memory, tcp } from "../streams/_subjects.ts";
import { KEY } from "./_secure.ts";
import { bareEnds } from "./_support.ts";

/** Two secure streams over what `connect` joins. */
function secure(
  name: string,
  connect: () => Promise<[
    Parameters<typeof SecureStream.open>[0],
    Parameters<typeof SecureStream.open>[0],
  ]>,
): Subject {
  return {
    name: `A secure stream over ${name}`,
    roles: ["initiator", "responder"],
    async connect() {
      const [near, far] = await connect();
      const ends = await Promise.all([
        SecureStream.open(near, KEY, { role: "initiator" }),
        SecureStream.open(far, KEY, { role: "responder" }),
      ]);
      return {
        ends,
        async [Symbol.asyncDispose]() {
          await Promise.all(ends.map((end) => end.close()));
        },
      };
    },
  };
}

testConformance(
  secure("memory", async () => [...(await memory.connect()).ends]),
);
testConformance(secure("TCP", async () => [...(await tcp.connect()).ends]));
testConformance(secure("a bare pair", () => {
  const { near, far } = bareEnds();
  return Promise.resolve([near, far]);
}));
