/**
 * Throw-away certificates for tests that speak TLS, made anew by each process
 * so that nothing secret is stored and nothing stored can expire.
 *
 * @module
 */

// The certificate library's dependency injection asks for this polyfill first.
import "npm:reflect-metadata@0.2.2";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type GeneralNameType,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "npm:@peculiar/x509@2.2.0";
import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";
import { join } from "@std/path/join";

/** A certificate and its private key, both as PEM text. */
export interface Identity {
  /** The certificate. */
  readonly cert: string;
  /** Its private key, PKCS #8. */
  readonly key: string;
}

/** All that TLS tests need, as PEM text. */
export interface Certificates {
  /** The authority that signed all identities below but `stranger`. */
  readonly ca: string;
  /** For `localhost`, `127.0.0.1` and `::1`. */
  readonly server: Identity;
  /** For a client that proves who it is. */
  readonly client: Identity;
  /** In order, but for `elsewhere.invalid` only. */
  readonly wrongHost: Identity;
  /** For the hosts of `server`, until yesterday. */
  readonly expired: Identity;
  /** For the hosts of `server`, signed by an authority of its own. */
  readonly stranger: Identity;
}

/** The names of PEM files, which disposal removes. */
export interface CertificateFiles extends AsyncDisposable {
  /** The authority's certificate. */
  readonly ca: string;
  /** The names of the certificate and key files of each identity. */
  readonly server: Identity;
  /** See {@linkcode Certificates.client}. */
  readonly client: Identity;
}

const DAY = 24 * 60 * 60 * 1000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const LOOPBACK: readonly Name[] = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
];

type Name = { type: GeneralNameType; value: string };
type Authority = { certificate: X509Certificate; keys: CryptoKeyPair };

let made: Promise<Certificates> | undefined;

/** The certificates of this process: made at the first call, then the same. */
export function certificates(): Promise<Certificates> {
  return made ??= make();
}

/**
 * The authority, the server and the client in files of a temporary folder, for
 * options that are file names.
 */
export async function certificateFiles(): Promise<CertificateFiles> {
  const { ca, server, client } = await certificates();
  const folder = await Deno.makeTempDir({ prefix: "sluice_certificates_" });
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    return path;
  };
  return {
    ca: await write("ca.pem", ca),
    server: {
      cert: await write("server.pem", server.cert),
      key: await write("server_key.pem", server.key),
    },
    client: {
      cert: await write("client.pem", client.cert),
      key: await write("client_key.pem", client.key),
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function make(): Promise<Certificates> {
  const authority = await makeAuthority("Sluice test authority");
  const stranger = await makeAuthority("Sluice strange authority");
  const yesterday = new Date(Date.now() - DAY);
  return {
    ca: authority.certificate.toString("pem"),
    server: await issue(authority, "server", LOOPBACK),
    client: await issue(authority, "client", []),
    wrongHost: await issue(authority, "server", [
      { type: "dns", value: "elsewhere.invalid" },
    ]),
    expired: await issue(authority, "server", LOOPBACK, yesterday),
    stranger: await issue(stranger, "server", LOOPBACK),
  };
}

async function makeAuthority(name: string): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 3 * DAY),
    notAfter: new Date(Date.now() + DAY),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(
        KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
  return { certificate, keys };
}

async function issue(
  authority: Authority,
  role: "server" | "client",
  names: readonly Name[],
  notAfter = new Date(Date.now() + DAY),
): Promise<Identity> {
  const keys = await generateKeys();
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([
      role === "server"
        ? ExtendedKeyUsage.serverAuth
        : ExtendedKeyUsage.clientAuth,
    ]),
  ];
  if (names.length > 0) {
    extensions.push(new SubjectAlternativeNameExtension([...names]));
  }
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=Sluice test ${role}`,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 2 * DAY),
    notAfter,
    extensions,
  });
  return {
    cert: certificate.toString("pem"),
    key: await privateKeyPem(keys.privateKey),
  };
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** 127 random bits, as RFC 5280 wants a positive number of at most 20 bytes. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = bytes[0]! & 0x7f | 0x40;
  return encodeHex(bytes);
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  const text = encodeBase64(await crypto.subtle.exportKey("pkcs8", key));
  const lines = text.match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}
