"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const make = (name, text = "", kind = "") => Object.assign(document.createElement(name), {textContent: text, className: kind});
const duration = seconds => seconds < 100 ? `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
