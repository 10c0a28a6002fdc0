/**
 * Whole messages over byte streams, and what channels do in stages of their own.
 *
 * @module
 */

export * from "./batching_channel.ts";
export * from "./batching_stream.ts";
export * from "./channel.ts";
export * from "./compressed_channel.ts";
export * from "./encrypted_channel.ts";
export * from "./frame_decoder_stream.ts";
export * from "./frame_encoder_stream.ts";
export * from "./message_compression_stream.ts";
export * from "./message_decompression_stream.ts";
export * from "./record_decryption_stream.ts";
export * from "./record_encryption_stream.ts";
export * from "./record_stream_options.ts";
export * from "./secure_options.ts";
export * from "./secure_stream.ts";
export { disableHeapTuning } from "./_heap_tuning.ts";
export {
  type BatchingOptions,
  type ChannelOptions,
  type CompressionOptions,
  DEFAULT_BATCH_SIZE,
  DEFAULT_BATCH_TIMEOUT,
  DEFAULT_CLOSE_TIMEOUT,
  DEFAULT_COMPRESSION_LEVEL,
  DEFAULT_COMPRESSION_THRESHOLD,
  DEFAULT_HIGH_WATER_MARK,
  DEFAULT_MAX_MESSAGE_SIZE,
  type HeartbeatOptions,
} from "./channel_options.ts";
