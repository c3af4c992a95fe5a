import { Lua } from "wasmoon-lua5.1";
import { isRecord } from "../../src/util/records.ts";

/*
 * Lua scripts as Argo CD runs them (its util/lua): Lua 5.1, with no more than it opens for scripts from `argocd-cm`. These
 * are the base functions, `table`, and of `os` only `time` and `date`, through `require("os")`. Strings have no methods.
 * What a script returns is read as its JSON encoder writes it: an empty table is an empty list.
 */

const prelude = `
local format, gsub, concat, byte = string.format, string.gsub, table.concat, string.byte
local loadstring, setfenv = loadstring, setfenv
local opened = {
  "assert", "error", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawset", "select",
  "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall", "_VERSION",
}
local base, date, time = _G, os.date, os.time
local tables = { "concat", "getn", "insert", "maxn", "remove", "sort" }
getmetatable("").__index = nil

local function environment(obj)
  local env = { obj = obj, actionParams = {}, table = {} }
  for _, name in ipairs(opened) do env[name] = base[name] end
  for _, name in ipairs(tables) do env.table[name] = base.table[name] end
  env._G = env
  env.require = function(name)
    if name ~= "os" then error("module " .. tostring(name) .. " not found", 2) end
    return { date = date, time = time }
  end
  return env
end

local function quoted(text)
  return '"' .. gsub(text, '[%c"\\\\]', function(char) return format("\\\\u%04x", byte(char)) end) .. '"'
end

local function encode(value)
  local kind = type(value)
  if kind == "nil" then return "null" end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then return format("%.17g", value) end
  if kind == "string" then return quoted(value) end
  if kind ~= "table" then error("cannot encode a " .. kind) end
  local first = next(value)
  local parts = {}
  if first == nil then return "[]" end
  if type(first) == "number" then
    for key in pairs(value) do
      if type(key) ~= "number" then error("a table with keys of two types") end
    end
    for index = 1, table.maxn(value) do
      if value[index] == nil then error("a list with holes") end
      parts[index] = encode(value[index])
    end
    return "[" .. concat(parts, ",") .. "]"
  end
  for key, member in pairs(value) do
    if type(key) ~= "string" then error("a table with keys of two types") end
    parts[#parts + 1] = quoted(key) .. ":" .. encode(member)
  end
  return "{" .. concat(parts, ",") .. "}"
end

local compiled = {}

function run(script, object)
  local chunk = compiled[script] or assert(loadstring(script, "=script"))
  compiled[script] = chunk
  setfenv(chunk, environment(assert(loadstring(object))()))
  return encode(chunk())
end
`;

const lua = await Lua.create();
lua.doStringSync(prelude);
const run: (script: string, object: string) => string = lua.global.get("run");

/** What the script returns for the object. *Errors*: throws what the script throws, and what cannot be JSON. */
export function runLua(script: string, object: object): unknown {
  return JSON.parse(run(script, `return ${literal(object)}`));
}

/** A value as Lua text. `null` and `undefined` are nil, as Argo CD hands them in. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `{${value.map(literal).join(",")}}`;
  if (!isRecord(value)) return String(value);
  return `{${Object.entries(value).map(([key, member]) => `[${quoted(key)}]=${literal(member)}`)}}`;
}

/** Every byte that is not plain ASCII by its number: Lua 5.1 knows bytes, not characters. */
function quoted(text: string): string {
  const bytes = [...Buffer.from(text, "utf8")];
  const isPlain = (byte: number) => byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
  return `"${bytes.map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, "0")}`)).join("")}"`;
}
