import {
  BatchingChannel,
  type ByteStream,
  Channel,
  type ChannelOptions,
  CompressedChannel,
  EncryptedChannel,
} from "@sluice/sluice";
import { memory, subprocess, tcp, tls, unix } from "../streams/_subjects.ts";
import { testChannel } from "./suite.ts";

const KEY = crypto.getRandomValues(new Uint8Array(32));

/** What a channel may do beyond framing. */
interface Features {
  readonly compress: boolean;
  readonly batch: boolean;
  readonly encrypt: boolean;
}

/** A channel of these features, by the preset that is named after one of them. */
function channelOf(
  stream: ByteStream,
  { compress, batch, encrypt }: Features,
  others: ChannelOptions = {},
): Channel {
  const compression = compress && { level: 1, threshold: 100 };
  const batching = batch && { size: 5, timeout: 20 };
  if (encrypt) {
    return new EncryptedChannel(stream, KEY, {
      ...others,
      compression,
      batching,
    });
  }
  if (compression) {
    return new CompressedChannel(stream, {
      ...others,
      ...compression,
      batching,
    });
  }
  if (batching) {
    return new BatchingChannel(stream, {
      ...others,
      batchSize: batching.size,
      batchTimeout: batching.timeout,
    });
  }
  return new Channel(stream, others);
}

function nameOf({ compress, batch, encrypt }: Features): string {
  const words = [
    compress && "compressing",
    batch && "batching",
    encrypt && "encrypted",
  ].filter((word) => word !== false);
  return words.length ? `A ${words.join(", ")} channel` : "A plain channel";
}

const YES_AND_NO = [false, true];
for (const transport of [memory, tcp, tls, unix, subprocess]) {
  for (const encrypt of YES_AND_NO) {
    for (const batch of YES_AND_NO) {
      for (const compress of YES_AND_NO) {
        const features = { compress, batch, encrypt };
        testChannel({
          name: `${nameOf(features)} over ${
            transport.name.replace(/^A/, "a").replace(
              "a stream in",
              "a pipe in",
            )
          }`,
          farHalfClose: transport.halfClose?.[1] ?? true,
          authenticatesEnd: encrypt,
          ignore: transport.ignore ?? false,
          async connect(options) {
            const { ends } = await transport.connect();
            const near = channelOf(ends[0], features, options);
            const far = channelOf(ends[1], features, options);
            await Promise.all([near.ready, far.ready]);
            return {
              near,
              far,
              async [Symbol.asyncDispose]() {
                await Promise.all([near.close(), far.close()]);
              },
            };
          },
        });
      }
    }
  }
}
