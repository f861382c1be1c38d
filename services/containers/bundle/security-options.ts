import { CtlError } from "../../kit/errors.ts";

/** `--security-opt`, read. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** The text of a profile in Docker's format, where one is named. */
  readonly seccomp: { readonly kind: "default" } | { readonly kind: "unconfined" } | { kind: "profile"; json: string };
  /** A profile loaded in the kernel; undefined: ours where the kernel has AppArmor. */
  readonly apparmor: string | undefined;
  readonly systemPathsUnconfined: boolean;
  readonly hasWritableCgroups: boolean;
}

/** Docker's grammar: `NAME=VALUE`, or as it once was `NAME:VALUE`. Throws INVALID_ARGUMENT SECURITY_OPTION_INVALID. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let parsed: SecurityOptions = {
    noNewPrivileges: false,
    seccomp: { kind: "default" },
    apparmor: undefined,
    systemPathsUnconfined: false,
    hasWritableCgroups: false,
  };
  for (const option of options) parsed = { ...parsed, ...parseOne(option) };
  return parsed;
}

function parseOne(option: string): Partial<SecurityOptions> {
  const { name, value } = splitOption(option);
  switch (name) {
    case "no-new-privileges":
      return { noNewPrivileges: parseBoolean(option, value) };
    case "seccomp":
      return { seccomp: parseSeccomp(value) };
    case "apparmor":
      return { apparmor: value };
    case "systempaths":
      if (value === "unconfined") return { systemPathsUnconfined: true };
      throw invalid(option, "systempaths can only be unconfined");
    case "writable-cgroups":
      return { hasWritableCgroups: parseBoolean(option, value) };
    case "label":
      // as Docker on a host without SELinux: understood, and without effect
      if (LABEL.test(value)) return {};
      throw invalid(option, "a label is disable, nested, or one of user, role, type, level and filetype with a value");
    default:
      throw invalid(option, "there is no option of that name");
  }
}

const LABEL = /^(disable|nested|(user|role|type|level|filetype):.+)$/;

function splitOption(option: string): { name: string; value: string } {
  const end = /[=:]/.exec(option)?.index ?? option.length;
  return { name: option.slice(0, end), value: option.slice(end + 1) };
}

function parseBoolean(option: string, value: string): boolean {
  if (value === "" || value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw invalid(option, `"${value}" is neither true nor false`);
}

function parseSeccomp(value: string): SecurityOptions["seccomp"] {
  if (value === "unconfined") return { kind: "unconfined" };
  return value === "" || value === "builtin" ? { kind: "default" } : { kind: "profile", json: value };
}

function invalid(option: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "SECURITY_OPTION_INVALID",
    what: `use --security-opt ${option}`,
    why,
    fix: "known are no-new-privileges, seccomp=unconfined|PROFILE, apparmor=PROFILE, systempaths=unconfined, writable-cgroups=true, label=disable",
  });
}
