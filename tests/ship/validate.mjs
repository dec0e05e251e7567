// What is shipped, against schemas that others have published. `validate.mjs cyclonedx < BILL`.
// Ends with 1, and says why, when it does not fit.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.SCOPEGATE_PACKAGES, "package.json"));
const load = (name) => import(require.resolve(name));

const kinds = {
  async cyclonedx() {
    const { Validation, Spec } = await load("@cyclonedx/cyclonedx-library");
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
    const problem = await validator.validate(readFileSync(0, "utf8"));
    return problem ? [problem] : [];
  },
};

const [kind, ...rest] = process.argv.slice(2);
const problems = await kinds[kind](...rest);
if (problems.length > 0) {
  console.error(JSON.stringify(problems, null, 2));
  process.exit(1);
}
