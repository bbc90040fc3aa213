import { describe, expect, it } from "vitest";
import { readTlsSettings } from "./tls-settings.ts";

const files = { LIBPROCESS_SSL_KEY_FILE: "/k", SSL_CERT_FILE: "/c" };
const enabled = { ...files, SSL_ENABLED: "1" };

describe("readTlsSettings", () => {
  it("is off by default", () => {
    expect(readTlsSettings(files)).toBeUndefined();
    expect(readTlsSettings({ ...files, SSL_ENABLED: "true", LIBPROCESS_SSL_ENABLED: "false" })).toBeUndefined();
  });

  it("has Mesos' defaults", () => {
    expect(readTlsSettings(enabled)).toEqual({
      downgrade: false,
      keyFile: "/k",
      certFile: "/c",
      verify: false,
      requireClient: false,
      depth: 4,
      caFile: undefined,
      caDir: undefined,
      ciphers: undefined,
      curves: "auto",
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
      verifyIp: false,
      scheme: "legacy",
    });
  });

  it("takes old names for new ones, and requiring implies verifying", () => {
    expect(readTlsSettings({ ...enabled, SSL_VERIFY_CERT: "true" })).toMatchObject({ verify: true });
    expect(readTlsSettings({ ...enabled, SSL_REQUIRE_CERT: "1" })).toMatchObject({ verify: true, requireClient: true });
    expect(readTlsSettings({ ...enabled, LIBPROCESS_SSL_ENABLE_TLS_V1_3: "1" })).toMatchObject({
      maxVersion: "TLSv1.3",
    });
  });

  it.each<[Record<string, string>, string]>([
    [{ SSL_ENABLED: "yes" }, "SSL_ENABLED=yes"],
    [{ SSL_ENABLED: "1" }, "without a key"],
    [{ SSL_ENABLED: "1", SSL_KEY_FILE: "/k" }, "without a certificate"],
    [{ ...enabled, SSL_ENABLE_SSL_V3: "1" }, "SSL 3.0"],
    [{ ...enabled, SSL_ENABLE_TLS_V1_2: "0" }, "no version"],
    [{ ...enabled, SSL_ENABLE_TLS_V1_0: "1" }, "gap"],
    [{ ...enabled, SSL_VERIFICATION_DEPTH: "x" }, "not a number"],
    [{ ...enabled, SSL_HOSTNAME_VALIDATION_SCHEME: "x" }, "does not exist"],
  ])("refuses %j", (environment, why) => {
    expect(() => readTlsSettings(environment)).toThrow(why);
  });
});
