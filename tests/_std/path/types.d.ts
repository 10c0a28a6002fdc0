/** The last part of a path. */
export function basename(path: string | URL, suffix?: string): string;
/** A path without its last part. */
export function dirname(path: string | URL): string;
/** The extension of a path, with its dot. */
export function extname(path: string | URL): string;
/** The path of a `file:` URL. */
export function fromFileUrl(url: string | URL): string;
/** Joins parts and normalizes the path. */
export function join(path: string | URL, ...paths: string[]): string;
/** How to get from one path to another. */
export function relative(from: string, to: string): string;
/** The absolute path that the parts lead to. */
export function resolve(...pathSegments: string[]): string;
/** The `file:` URL of a path. */
export function toFileUrl(path: string): URL;
