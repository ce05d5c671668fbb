--[[
PartDiff in darktable: "PartDiff" among the storages of the export module. Images are exported as usual, with their
metadata, and then enlarged by the command `partdiff`, which keeps metadata and profile.

Put this file into ~/.config/darktable/lua and the line

    require "partdiff"

into ~/.config/darktable/luarc. For Linux and macOS. `partdiff` must be on the PATH, or named in the preferences (Lua options).
]]

local dt = require "darktable"

local STORAGE = "partdiff"

dt.preferences.register(STORAGE, "program", "string", "PartDiff: the command",
  "Name or path of the program partdiff", "partdiff")

local function last(name, default)
  local value = dt.preferences.read(STORAGE, name, "string")
  return value ~= "" and value or default
end

local function choice(name, label, tooltip, default, ...)
  local values, chosen = {...}, 1
  for place, value in ipairs(values) do
    if value == last(name, default) then chosen = place end
  end
  return dt.new_widget("combobox") {
    label = label, tooltip = tooltip, selected = chosen,
    changed_callback = function(widget) dt.preferences.write(STORAGE, name, "string", widget.value) end,
    table.unpack(values)
  }
end

local scale = choice("scale", "scale", "how much larger", "4", "2", "3", "4")
local preset = choice("preset", "preset", "faithful keeps to what is known, detailed adds likely texture", "balanced",
  "faithful", "balanced", "detailed")
local cleanup = choice("cleanup", "clean-up", "how much noise, blur and JPEG damage to take out: what the image seems to need, or none",
  "default", "default", "none")
local folder = dt.new_widget("file_chooser_button") {
  title = "folder of the results", is_directory = true, value = last("folder", os.getenv("HOME") or "."),
  tooltip = "folder of the results",
  changed_callback = function(widget) dt.preferences.write(STORAGE, "folder", "string", widget.value) end
}
local widget = dt.new_widget("box") { orientation = "vertical", scale, preset, cleanup, folder }

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local function store(_, image, _, exported, number, total, _, state)
  local into = folder.value
  if not into then
    dt.print_error("PartDiff: choose a folder for the results")
    state.first = state.first or "no folder is chosen"
    return
  end
  local name = image.filename:gsub("%.[^.]*$", "") .. "_x" .. scale.value
  local extension = exported:match("%.[^.]*$") or ".png"
  -- A name of its own for every result: nothing is ever replaced.
  local path, again = into .. "/" .. name .. extension, 1
  while exists(path) do
    path, again = into .. "/" .. name .. "_" .. again .. extension, again + 1
  end
  dt.print(string.format("PartDiff: %s, %d of %d", image.filename, number, total))
  local words = { dt.preferences.read(STORAGE, "program", "string"), "upscale", exported, "-o", path,
    "--scale", scale.value, "--preset", preset.value, "--quiet" }
  if cleanup.value == "none" then words[#words + 1], words[#words + 2] = "--cleanup", "0" end
  for place, word in ipairs(words) do words[place] = quoted(word) end
  local status = dt.control.execute(table.concat(words, " "))
  if status == 0 then
    state.done = (state.done or 0) + 1
  else
    dt.print_error(string.format("PartDiff failed on %s with status %d; darktable's terminal shows why", image.filename, status))
    state.first = state.first or image.filename
  end
  os.remove(exported)
end

local function finish(_, images, state)
  local count = 0
  for _ in pairs(images) do count = count + 1 end
  local done = state.done or 0
  if done < count then
    dt.print(string.format("PartDiff: %d of %d images failed, first: %s; darktable's terminal shows why",
      count - done, count, state.first or "unknown"))
  else
    dt.print(string.format("PartDiff: %d of %d images made, in %s", done, count, folder.value))
  end
end

local known = { png = true, tif = true, tiff = true, jpg = true, webp = true, exr = true, avif = true, jxl = true }
local function supported(_, format)
  return known[format.extension] or false
end

dt.register_storage(STORAGE, "PartDiff", store, finish, supported, nil, widget)

local script = {}
script.destroy = function() dt.destroy_storage(STORAGE) end
return script
