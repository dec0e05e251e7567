// What is shipped, against schemas. `validate.mjs cyclonedx < BILL`, `validate.mjs resources FILE...`,
// `validate.mjs kubernetes FOLDER FILE...` with the schemas of one version of Kubernetes in that folder,
// `validate.mjs lines SCHEMA < LINES`, which prints of each line whether the schema takes it.
// Prints what it has looked at. Ends with 1, and says why, when something does not fit.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(join(process.env.SCOPEGATE_PACKAGES, "package.json"));
const load = (name) => import(require.resolve(name));

async function cyclonedx() {
  const { Validation, Spec } = await load("@cyclonedx/cyclonedx-library");
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  const problem = await validator.validate(readFileSync(0, "utf8"));
  return problem ? [problem] : [];
}

/** The package with the published models of a group of resources. */
function packageOf(group) {
  if (group === "gateway.networking.k8s.io") return "@kubernetes-models/gateway-api";
  if (group.endsWith(".istio.io")) return "@kubernetes-models/istio";
  return group.includes(".") && !group.endsWith(".k8s.io") ? "" : "kubernetes-models";
}

/** The published models of a resource, by its group, version and kind; null when there is none. */
async function model(resource) {
  const [version, group = ""] = resource.apiVersion.split("/").reverse();
  const folder = join(process.env.SCOPEGATE_PACKAGES, "node_modules", packageOf(group));
  const file = join(folder, group, version, `${resource.kind}.js`);
  return existsSync(file) ? (await import(pathToFileURL(file)))[resource.kind] : null;
}

async function resources(...files) {
  const { parse, parseAllDocuments } = await load("yaml");
  const { default: Ajv } = await load("ajv/dist/2020.js");
  const here = dirname(fileURLToPath(import.meta.url));
  const { $defs, ...own } = parse(readFileSync(join(here, "schemas.yaml"), "utf8"));
  const ajv = new Ajv({ allErrors: true, strictRequired: false, strictTypes: false });
  const problems = [];
  for (const file of files) {
    for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
      const resource = document.toJS();
      const tell = (by, errors) => problems.push({ file, kind: resource.kind, by, errors });
      if (document.errors.length > 0) tell("YAML", document.errors.map(String));
      const schemas = [];
      const published = await model(resource);
      if (published) {
        schemas.push("published");
        try {
          new published(resource).validate();
        } catch (error) {
          tell("published", error.errors ?? String(error));
        }
      }
      if (own[resource.kind]) {
        schemas.push("own");
        const validate = ajv.compile({ $defs, ...own[resource.kind] });
        if (!validate(resource)) tell("own", validate.errors);
      }
      if (schemas.length === 0) tell("nothing", "there is no schema for it");
      console.log(`${file} ${resource.kind} ${schemas.join("+")}`);
    }
  }
  return problems;
}

/** What Kubernetes itself knows, in the schemas of one version, by which an unknown field is an error. */
async function kubernetes(folder, ...files) {
  const { parseAllDocuments } = await load("yaml");
  const { default: Ajv } = await load("ajv/dist/2020.js");
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
  const read = (name) => {
    const { $schema, ...schema } = JSON.parse(readFileSync(join(folder, name), "utf8"));
    return { ...schema, $id: `http://kubernetes/api/${name}` };
  };
  ajv.addSchema(read("_definitions.json"));
  const problems = [];
  for (const file of files) {
    for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
      const resource = document.toJS();
      const [version, group = ""] = resource.apiVersion.split("/").reverse();
      if (packageOf(group) !== "kubernetes-models") continue;
      const name = [resource.kind, group.split(".")[0], version].filter(Boolean).join("-").toLowerCase();
      const { $id, ...schema } = read(`${name}.json`);
      const validate = ajv.getSchema($id) ?? ajv.compile({ $id, ...schema });
      if (!validate(resource)) problems.push({ file, kind: resource.kind, by: folder, errors: validate.errors });
      console.log(`${file} ${resource.kind} ${resource.apiVersion}`);
    }
  }
  return problems;
}

async function lines(schema) {
  const { default: Ajv } = await load("ajv/dist/2020.js");
  const validate = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync(schema, "utf8")));
  for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) console.log(validate(JSON.parse(line)));
  return [];
}

const [kind, ...rest] = process.argv.slice(2);
const problems = await { cyclonedx, resources, kubernetes, lines }[kind](...rest);
if (problems.length > 0) {
  console.error(JSON.stringify(problems, null, 2));
  process.exit(1);
}
