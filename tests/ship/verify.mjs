// Verifies Sigstore bundles as other programs do: `verify.mjs KEY.pem (BUNDLE FILE)...`. Each has to be signed by this key, and to be
// about this file. Prints the kind of each. Ends with 1, and says why, when one is not.

import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.SCOPEGATE_PACKAGES, "package.json"));
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");
const { assertBundleLatest, bundleFromJSON } = require("@sigstore/bundle");

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const [pem, ...pairs] = process.argv.slice(2);
const rawBytes = createPublicKey(readFileSync(pem)).export({ format: "der", type: "spki" });
const nothing = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
// Another hint finds no key.
const trust = toTrustMaterial(nothing, { [sha256(rawBytes).toString("base64")]: { rawBytes } });
const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });

while (pairs.length > 0) {
  const [path, file] = pairs.splice(0, 2);
  try {
    const bundle = bundleFromJSON(JSON.parse(readFileSync(path, "utf8")));
    assertBundleLatest(bundle);
    const bytes = readFileSync(file);
    const entity = toSignedEntity(bundle, bytes);
    if (!entity.signature.compareDigest(sha256(bytes))) throw new Error("it is about another file");
    verifier.verify(entity);
    console.log(bundle.content.$case);
  } catch (error) {
    console.error(`${path}: ${error.message}`);
    process.exit(1);
  }
}
