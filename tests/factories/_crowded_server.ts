/**
 * A server that tells on stdout where it listens, and each failure that its
 * `onError` is told of. To be run with few files.
 */

import { serve } from "../../factories/serve.ts";
import { echo } from "./_support.ts";

serve({
  port: 0,
  onListen: ({ port }) => console.log(port),
  onError: (error, { phase }) => console.log(phase, String(error)),
}, echo);
