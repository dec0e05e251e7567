-- Sends the requests of a file in turn, byte for byte: in the file each follows its length and a line feed. With `once` as a
-- second argument it ends with the last of them, else it begins again.

local requests = {}
local last = 0
local once = false

function init(arguments)
  once = arguments[2] == "once"
  local file = assert(io.open(arguments[1], "rb"))
  local length = file:read("*n")
  while length do
    file:read(1)
    requests[#requests + 1] = file:read(length)
    length = file:read("*n")
  end
end

function request()
  if once and last == #requests then
    wrk.thread:stop()
  end
  last = last % #requests + 1
  return requests[last]
end

function done(summary, _, _)
  local errors = summary.errors
  io.write(string.format("summary %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout))
end
