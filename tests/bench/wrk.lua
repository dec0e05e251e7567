-- Sends the requests of a file in turn, byte for byte: each stands there behind its length and a line feed.

local requests = {}
local last = 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local length = file:read("*n")
  while length do
    file:read(1)
    requests[#requests + 1] = file:read(length)
    length = file:read("*n")
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, _, _)
  local errors = summary.errors
  io.write(string.format("summary %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout))
end
