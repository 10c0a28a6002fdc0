/**
 * Encryption, in memory: the public stages and a whole channel, against
 * WebCrypto's AES-256-GCM called for one record after the other, and a channel
 * that does not encrypt.
 *
 * @module
 */
import {
  Channel,
  EncryptedChannel,
  PipeStream,
  RecordDecryptionStream,
  RecordEncryptionStream,
} from "@sluice/sluice";
import { benchTransfer, drain, source, WORKLOADS } from "./_workload.ts";

/** The most plaintext of one record, in bytes. */
const RECORD_SIZE = 65_518;

const secret = crypto.getRandomValues(new Uint8Array(32));
const aes = await crypto.subtle.importKey("raw", secret, "AES-GCM", false, [
  "encrypt",
]);

for (const workload of WORKLOADS) {
  const { group, count, message } = workload;

  Deno.bench({
    name: "crypto.subtle.encrypt, one after the other",
    group,
    baseline: true,
    async fn() {
      const nonce = new Uint8Array(12);
      const view = new DataView(nonce.buffer);
      let n = 0;
      for (let i = 0; i < count; i++) {
        for (let at = 0; at < message.byteLength; at += RECORD_SIZE) {
          view.setUint32(8, n++);
          const plaintext = message.subarray(at, at + RECORD_SIZE);
          await crypto.subtle.encrypt(
            { name: "AES-GCM", iv: nonce },
            aes,
            plaintext,
          );
        }
      }
    },
  });

  // A traffic key is for one stream alone; in a bench nobody listens.
  Deno.bench({
    name: "RecordEncryptionStream",
    group,
    async fn() {
      await drain(
        source(workload).pipeThrough(new RecordEncryptionStream(secret)),
      );
    },
  });
  Deno.bench({
    name: "RecordEncryptionStream and RecordDecryptionStream",
    group,
    async fn() {
      await drain(
        source(workload)
          .pipeThrough(new RecordEncryptionStream(secret))
          .pipeThrough(new RecordDecryptionStream(secret)),
      );
    },
  });

  Deno.bench({
    name: "Channel over PipeStream.createPair",
    group,
    async fn(bench) {
      const [near, far] = PipeStream.createPair();
      await benchTransfer(
        bench,
        new Channel(near),
        new Channel(far),
        workload,
      );
    },
  });
  Deno.bench({
    name: "EncryptedChannel over PipeStream.createPair",
    group,
    async fn(bench) {
      const [near, far] = PipeStream.createPair();
      await benchTransfer(
        bench,
        new EncryptedChannel(near, secret),
        new EncryptedChannel(far, secret),
        workload,
      );
    },
  });
}
