import { describe, expect, it } from "vitest";
import { portalUrl, quoted, runAsService, runNow, type Program } from "./command";

const GATEWAY: Program = {
  binary: "culvert-gateway",
  environment: { FIREZONE_API_URL: "wss://portal.example/", FIREZONE_TOKEN: ".secret" },
};

describe("the command for a machine", () => {
  it("names the portal and the token", () => {
    expect(runNow(GATEWAY)).toBe(
      "sudo env FIREZONE_API_URL=wss://portal.example/ FIREZONE_TOKEN=.secret culvert-gateway",
    );
    expect(runAsService(GATEWAY)).toContain("--setenv=FIREZONE_TOKEN=.secret culvert-gateway");
  });

  it.each([
    ["plain-word.1", "plain-word.1"],
    ["two words", "'two words'"],
    ["it's", `'it'\\''s'`],
    ["$(reboot)", "'$(reboot)'"],
    ["", "''"],
  ])("takes %s as one word", (word, expected) => {
    expect(quoted(word)).toBe(expected);
  });

  it("goes where the page came from", () => {
    expect(portalUrl({ protocol: "https:", host: "portal.example" })).toBe("wss://portal.example/");
    expect(portalUrl({ protocol: "http:", host: "10.0.0.1:8081" })).toBe("ws://10.0.0.1:8081/");
  });
});
