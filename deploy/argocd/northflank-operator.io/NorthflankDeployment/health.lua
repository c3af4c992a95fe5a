-- Reads the conditions as kstatus does, and says apart what is suspended. Only the base library is used: Argo CD opens no
-- other for scripts from argocd-cm.
local function health(status, message)
  return { status = status, message = message or "" }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "Pending deletion")
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

if isTrue("Stalled") then
  return health("Degraded", conditions["Stalled"].message)
end
if isTrue("Reconciling") then
  return health("Progressing", conditions["Reconciling"].message)
end
-- Suspended holds back every later sync wave, so it is only said of what was never Ready.
if isTrue("Suspended") and not isTrue("Ready") then
  return health("Suspended", conditions["Suspended"].message)
end
if isTrue("Suspended") then
  return health("Healthy", "Suspended: " .. (conditions["Ready"].message or ""))
end
if isTrue("Ready") then
  return health("Healthy", conditions["Ready"].message)
end
return health("Progressing", conditions["Ready"] ~= nil and conditions["Ready"].message or "Waiting for the operator")
