import { testConformance } from "./conformance.ts";
import {
  buffered,
  foreign,
  memory,
  monitored,
  subprocess,
  tcp,
  tls,
  unix,
} from "./_subjects.ts";

testConformance(memory);
testConformance(tcp);
testConformance(tls);
testConformance(unix);
testConformance(subprocess);
testConformance(foreign);
testConformance(buffered(memory));
testConformance(buffered(tcp));
testConformance(monitored(memory));
testConformance(monitored(tcp));
