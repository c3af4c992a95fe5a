-- A run is Progressing until it is Finished: as a hook, or in an early wave, it holds the sync until its end. Only the
-- base library is used: Argo CD opens no other for scripts from argocd-cm.
local function health(status, message)
  return { status = status, message = message or "" }
end

-- The CRD sets observedGeneration to -1 until the operator has seen the object.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Waiting for the operator to observe the latest generation")
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end

local function isTrue(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

local function messageOf(name)
  return conditions[name] ~= nil and conditions[name].message or ""
end

if isTrue("Finished") then
  if isTrue("Succeeded") then
    return health("Healthy", messageOf("Succeeded"))
  end
  return health("Degraded", messageOf("Finished"))
end

local started = conditions["Started"]
local mayHaveStarted = started ~= nil and started.status ~= "False"

-- Argo CD asks about an object that is being deleted only while its own finalizer holds a hook. No run is started for it
-- any more, so without a run there is no end to wait for.
if obj.metadata.deletionTimestamp ~= nil then
  if mayHaveStarted and started.reason ~= "StartOutcomeUnknown" then
    return health("Progressing", "Pending deletion: " .. messageOf("Ready"))
  end
  return health("Degraded", "Deleted before the run had ended: " .. messageOf("Ready"))
end

if isTrue("Suspended") then
  return health("Suspended", messageOf("Suspended"))
end
-- A retry of a failed sync makes the hook again. While a run may be active that would be a second one, so what stalls
-- then holds the sync for a person instead of failing it.
if isTrue("Stalled") and not mayHaveStarted then
  return health("Degraded", messageOf("Stalled"))
end
if conditions["Ready"] == nil then
  return health("Progressing", "Waiting for the operator")
end
return health("Progressing", messageOf("Ready"))
