import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  Environment_Variable_Type,
  EnvironmentSchema,
  ExecutorInfoSchema,
  LabelsSchema,
  Secret_Type,
  type SecretSchema,
  TaskInfoSchema,
  Volume_Source_Type,
} from "./gen/mesos/v1/mesos_pb.ts";
import { secretNames, variablesOf, withoutSecrets } from "./secrets.ts";

const { SECRET } = Environment_Variable_Type;
const bytes = (text: string) => new TextEncoder().encode(text);
const byValue = (data: Uint8Array): MessageInitShape<typeof SecretSchema> => ({
  type: Secret_Type.VALUE,
  value: { data },
});
const environment = (secret: MessageInitShape<typeof SecretSchema> | undefined) =>
  create(EnvironmentSchema, {
    variables: [
      { name: "PLAIN", value: "p" },
      { name: "PASSWORD", type: SECRET, ...(secret && { secret }) },
    ],
  });

describe("variables", () => {
  it("of type SECRET are resolved when their value is there", () => {
    expect(variablesOf(environment(byValue(bytes("hünter2"))))).toEqual({ PLAIN: "p", PASSWORD: "hünter2" });
    expect([...secretNames(environment(undefined))]).toEqual(["PASSWORD"]);
    expect(variablesOf(undefined)).toEqual({});
  });

  it.each([
    [{ type: Secret_Type.REFERENCE, reference: { name: "vault/db" } }, /'PASSWORD'.*'vault\/db'.*no secret resolver/],
    [{ reference: { name: "vault/db" } }, /no secret resolver/],
    [undefined, /'PASSWORD'.*has no secret/],
    [{ type: Secret_Type.VALUE }, /has no secret/],
    [byValue(bytes("a\0b")), /null bytes/],
    [byValue(new Uint8Array([0xff, 0xfe])), /not UTF-8/],
  ] as const)("%j cannot be", (secret, why) => {
    expect(() => variablesOf(environment(secret))).toThrow(why);
  });

  it("are named in errors, their values are not", () => {
    expect(() => variablesOf(environment(byValue(bytes("s3cret\0"))))).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("s3cret") }),
    );
  });
});

describe("what is shown", () => {
  it("has no secret in it, however deep, and the original keeps them", () => {
    const secret = byValue(bytes("s3cret"));
    const variables = [{ name: "PASSWORD", type: SECRET, secret }];
    const command = { value: "x", environment: { variables } };
    const volumes = [{ containerPath: "/s", source: { type: Volume_Source_Type.SECRET, secret } }];
    const info = create(TaskInfoSchema, { command, container: { volumes }, healthCheck: { command } });
    const shown = withoutSecrets(TaskInfoSchema, info);
    expect(JSON.stringify(shown)).not.toContain(JSON.stringify(bytes("s3cret")));
    expect(shown.command?.environment?.variables[0]).toMatchObject({ name: "PASSWORD", secret: { type: 2 } });
    expect(shown.container?.volumes[0]?.source?.secret?.value).toBeUndefined();
    expect(info.healthCheck?.command?.environment?.variables[0]?.secret?.value?.data).toEqual(bytes("s3cret"));
    const executor = create(ExecutorInfoSchema, { command });
    expect(withoutSecrets(ExecutorInfoSchema, executor).command?.environment?.variables[0]?.secret?.value).toBe(
      undefined,
    );
  });

  it("is the message itself where there can be none", () => {
    const labels = create(LabelsSchema, { labels: [{ key: "a" }] });
    expect(withoutSecrets(LabelsSchema, labels)).toBe(labels);
  });
});
