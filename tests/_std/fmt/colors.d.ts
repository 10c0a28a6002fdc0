/** `str` with the style `bold`, where colours are enabled. */
export function bold(str: string): string;
/** `str` with the style `brightBlue`, where colours are enabled. */
export function brightBlue(str: string): string;
/** `str` with the style `brightCyan`, where colours are enabled. */
export function brightCyan(str: string): string;
/** `str` with the style `brightGreen`, where colours are enabled. */
export function brightGreen(str: string): string;
/** `str` with the style `brightRed`, where colours are enabled. */
export function brightRed(str: string): string;
/** `str` with the style `brightYellow`, where colours are enabled. */
export function brightYellow(str: string): string;
/** `str` with the style `blue`, where colours are enabled. */
export function blue(str: string): string;
/** `str` with the style `cyan`, where colours are enabled. */
export function cyan(str: string): string;
/** `str` with the style `dim`, where colours are enabled. */
export function dim(str: string): string;
/** `str` with the style `gray`, where colours are enabled. */
export function gray(str: string): string;
/** `str` with the style `green`, where colours are enabled. */
export function green(str: string): string;
/** `str` with the style `inverse`, where colours are enabled. */
export function inverse(str: string): string;
/** `str` with the style `italic`, where colours are enabled. */
export function italic(str: string): string;
/** `str` with the style `magenta`, where colours are enabled. */
export function magenta(str: string): string;
/** `str` with the style `red`, where colours are enabled. */
export function red(str: string): string;
/** `str` with the style `reset`, where colours are enabled. */
export function reset(str: string): string;
/** `str` with the style `underline`, where colours are enabled. */
export function underline(str: string): string;
/** `str` with the style `white`, where colours are enabled. */
export function white(str: string): string;
/** `str` with the style `yellow`, where colours are enabled. */
export function yellow(str: string): string;
/** Whether colours are enabled: not with `NO_COLOR`. */
export function getColorEnabled(): boolean;
/** Enables or disables colours. */
export function setColorEnabled(value: boolean): void;
/** `text` without its ANSI codes. */
export function stripAnsiCode(text: string): string;
