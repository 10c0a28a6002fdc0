/** The bytes of base64 text. */
export function decodeBase64(b64: string): Uint8Array<ArrayBuffer>;
/** Base64 text of bytes. */
export function encodeBase64(data: ArrayBuffer | Uint8Array | string): string;
/** The bytes of base64url text. */
export function decodeBase64Url(b64url: string): Uint8Array<ArrayBuffer>;
/** Base64url text of bytes. */
export function encodeBase64Url(
  data: ArrayBuffer | Uint8Array | string,
): string;
/** The bytes of hexadecimal text. */
export function decodeHex(src: string): Uint8Array<ArrayBuffer>;
/** Hexadecimal text of bytes. */
export function encodeHex(src: string | Uint8Array | ArrayBuffer): string;
