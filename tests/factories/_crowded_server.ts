/**
 * A server that tells on stdout where it listens, and each failure that its
 * `onError` is told of. To be run with few files.
 */

import { serve } from "../../factories/serve.ts";
import { echo } from "./_support.ts";

// The runtime opens its pipe for signals when it first needs it, and panics if
// there is no file for that: it shall need it now.
Deno.addSignalListener("SIGUSR2", () => {});

serve({
  port: 0,
  onListen: ({ port }) => console.log(port),
  onError: (error, { phase }) => console.log(phase, String(error)),
}, echo);
