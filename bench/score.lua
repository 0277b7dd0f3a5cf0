-- For wrk: asks for the scores of 30 products of a user, drawn from a seed, another question each time.
--
--   wrk -t 2 -c 16 -d 10 --latency -s bench/score.lua http://127.0.0.1:PORT -- PATH [USERS [ITEMS]]
--
-- PATH is /v1/score of the service or /score of bench/peers/serving_fastapi.py. The last line counts what was not
-- answered.

local questions, at = {}, 0
local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("seed", #threads)
end

function init(args)
  local path, users, items = args[1] or "/v1/score", tonumber(args[2] or 10000), tonumber(args[3] or 1000)
  math.randomseed(seed)
  for question = 1, 1000 do
    local products = {}
    for product = 1, 30 do
      products[product] = math.random(0, items - 1)
    end
    local body = string.format('{"user":%d,"products":[%s]}', math.random(0, users - 1), table.concat(products, ","))
    questions[question] = wrk.format("POST", path, { ["Content-Type"] = "application/json" }, body)
  end
end

function request()
  at = at % #questions + 1
  return questions[at]
end

function done(summary)
  print(string.format("not 2xx or 3xx: %d, connections broken: %d", summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
