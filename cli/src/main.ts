console.log("saestitch");
