-- Sixteen requests at once.
init = function(args)
    local one = wrk.format("GET", "/")
    sixteen = string.rep(one, 16)
end

request = function()
    return sixteen
end
