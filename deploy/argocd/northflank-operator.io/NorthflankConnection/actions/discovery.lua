local isSuspended = obj.spec.suspend == true

local actions = {}
actions["reconcile"] = { disabled = isSuspended, iconClass = "fa fa-fw fa-refresh" }
actions["suspend"] = { disabled = isSuspended, iconClass = "fa fa-fw fa-pause" }
actions["resume"] = { disabled = not isSuspended, iconClass = "fa fa-fw fa-play" }
return actions
