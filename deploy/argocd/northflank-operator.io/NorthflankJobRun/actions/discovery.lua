local isSuspended = obj.spec.suspend == true
-- An abort cannot be taken back, also not by a spec that no longer says it.
local isAborted = obj.spec.abort == true
local isFinished = false
if obj.status ~= nil then
  isAborted = isAborted or obj.status.abortRequestedTime ~= nil
  isFinished = obj.status.completionTime ~= nil
end
local isOver = isFinished or isAborted

local actions = {}
actions["reconcile"] = { disabled = isFinished or isSuspended, iconClass = "fa fa-fw fa-refresh" }
actions["suspend"] = { disabled = isOver or isSuspended, iconClass = "fa fa-fw fa-pause" }
actions["resume"] = { disabled = isOver or not isSuspended, iconClass = "fa fa-fw fa-play" }
actions["abort"] = { disabled = isOver, iconClass = "fa fa-fw fa-stop" }
return actions
