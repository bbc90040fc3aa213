/** Calls of the v1 operator API in JSON, as an operator makes them with curl. */
export async function operatorCall(
  master: string,
  call: object,
): Promise<{ status: number; text: string; json: never }> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${master}/api/v1`, { method: "POST", headers, body: JSON.stringify(call) });
  const text = await answer.text();
  const json = answer.headers.get("content-type")?.startsWith("application/json") ? JSON.parse(text) : undefined;
  return { status: answer.status, text, json: json as never };
}
