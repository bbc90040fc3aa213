import { describe, expect, it } from "vitest";
import type { TlsSettings } from "../model/settings.ts";
import { failureOf } from "./dial.ts";
import { tlsOptions } from "./tls-material.ts";

const failed = (code: string, message = "", more: object = {}) =>
  failureOf(Object.assign(new Error(message), { code, ...more }));

describe("why a connection failed", () => {
  const hint = "; if the root CA is installed locally, try running Node.js with --use-system-ca";
  it.each([
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", `unable to verify the first certificate${hint}`, "'ssl ca'"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", `self-signed certificate${hint}`, "self-signed"],
    ["CERT_HAS_EXPIRED", "certificate has expired", "authority's in the file of 'ssl ca'; renew it"],
    ["SOMETHING_NEW", `some trouble${hint}`, "some trouble"],
    ["ECONNREFUSED", "", "nothing listens there"],
    ["ECONNRESET", "Client network socket disconnected before secure TLS connection was established", "'ssl enabled'"],
    [
      "EPROTO",
      "write EPROTO 8:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number",
      "is not TLS",
    ],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "x:tlsv13 alert certificate required:../deps", "'ssl certificate'"],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "x:tlsv1 alert unknown ca:../deps", "does not accept our certificate"],
  ])("%s is said in our words, never in Node's", (code, message, words) => {
    const text = failed(code, message);
    expect(text).toContain(words);
    expect(text).not.toMatch(/Node|--|deps|\n/);
  });

  it("names a host that is not known", () => {
    expect(failed("ENOTFOUND", "getaddrinfo ENOTFOUND logs", { hostname: "logs" })).toContain(
      "the name 'logs' is not known",
    );
  });
});

it.each([
  ["logstash.example", "logstash.example"],
  ["logstash.example.", "logstash.example"],
  ["10.0.0.1", undefined],
  ["::1", undefined],
])("the server at %s is told the name %s", (host, expected) => {
  const settings: TlsSettings = {
    ca: undefined,
    certificate: undefined,
    key: undefined,
    passphrase: undefined,
    verification: "full",
    minimumVersion: "TLSv1.2",
  };
  expect(tlsOptions(settings, host).servername).toBe(expected);
});
